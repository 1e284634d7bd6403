"""The confusion matrix as a PNG, for as many classes as can be read."""

import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from bas_tf.report.chart_style import INK, STYLE, png_of

MOST_CLASSES = 40
_DOTS_PER_INCH = 100
_CELL_INCHES, _MARGIN_INCHES = 0.3, 2.2
_LONGEST_NAME = 22


def confusion_png(counts: np.ndarray, class_names: Sequence[str]) -> bytes:
    """`confusion_figure` as a PNG file; equal counts give equal bytes.

    A letter that the chart's font lacks is drawn as a box.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = confusion_figure(counts, class_names)
        return png_of(figure, dots_per_inch=_DOTS_PER_INCH)


def confusion_figure(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Images by true class (rows) and predicted class (columns).

    A cell says how many images it has and is the darker the larger its share of the
    row is. Images without a predicted class have a column only where there are any.

    Args:
      counts: int [classes, classes + 1], see `metrics.confusion.confusion_counts`.
      class_names: names by class id, at most MOST_CLASSES.
    """
    names = [_cut(name) for name in class_names]
    columns = [*names, "no class"]
    if not counts[:, -1].any():
        counts, columns = counts[:, :-1], names
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    size = _MARGIN_INCHES + _CELL_INCHES * len(columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(size, size), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column, row, str(counts[row, column]), ha="center", va="center",
                fontsize=7, color="white" if shares[row, column] > 0.6 else INK,
            )  # fmt: skip
        looks = {"fontsize": 8, "parse_math": False}
        axes.set_xticks(range(len(columns)), columns, rotation=90, **looks)
        axes.set_yticks(range(len(names)), names, **looks)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.grid(False)
    return figure


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
