"""Curves as inline SVG: losses over steps, localization over thresholds."""

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bas_tf import names
from bas_tf.errors import DataError
from bas_tf.report.plots.chart_style import STYLE
from bas_tf.report.table import NAMES

# Mid grey and saturated colours: legible on a light and on a dark page.
GREY = "#8a8f94"
_STYLE = {
    **STYLE,
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "svg.hashsalt": "bas_tf",  # the same curves give the same bytes
    "font.size": 10,
    **{key: GREY for key in STYLE if key.endswith("color")},
}
_SIZE_INCHES = (5.2, 3.2)
_METHOD_COLORS = ("#2f81e0", "#e8830c", "#2ca25f", "#a45ad6")
# The curve sees the answers: no threshold may be taken from it for this very split.
_THRESHOLD_CAPTION = (
    "Localization over the threshold: oracle information, since every point is of the "
    "evaluated split's own true boxes"
)
_LOSS_FIGURES = {
    "Losses over steps": {
        names.LOSS: ("weighted sum L", GREY),
        names.CLASSIFICATION_LOSS: ("classification L_cls", "#2f81e0"),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: ("region guidance L_frg", "#e8830c"),
        names.FOREGROUND_CROSS_ENTROPY_LOSS: ("foreground CE L_ce", "#d6455d"),
        names.LABEL_MAP_LOSS: ("label maps L_seg", "#a45ad6"),
    },
    "Background activation, map area and accuracy over steps": {
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: ("suppression L_bas", "#d6455d"),
        names.AREA_CONSTRAINT_LOSS: ("mean map L_ac", "#2ca25f"),
        "accuracy": ("accuracy", "#2f81e0"),
    },
    "Learning rate over steps": {"learning_rate": ("learning rate", "#a45ad6")},
}


def read_log(path: str | Path) -> list[dict]:
    """The rows of a WORKDIR/metrics.jsonl, in the file's order.

    Raises:
      DataError: the file is missing, or a line is no JSON object with a step.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return [_parse_line(line, f"{path}:{n}") for n, line in enumerate(lines, 1)]


def loss_curves(rows: Sequence[Mapping]) -> dict[str, str]:
    """Curves of a training's log, a name that no row has left out.

    Returns:
      Inline SVG by caption. Faint lines are the logged values, strong ones running
      means over a twentieth of them.
    """
    figures = {}
    for caption, series in _LOSS_FIGURES.items():
        logged = {
            key: look for key, look in series.items() if any(key in row for row in rows)
        }
        if logged:
            figures[caption] = _loss_figure(rows, logged)
    return figures


def threshold_curves(
    thresholds: Sequence[float],
    methods: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    score_threshold: float,
) -> dict[str, str]:
    """Localization against the threshold that turns maps into boxes.

    Args:
      thresholds: [n] in [0, 1].
      methods: by method's name ("BAS", "CAM"): "gt_known_loc" and "mean_iou", or those
        of the predicted class's map, each [n] fractions.
      score_threshold: the one in use, marked by a vertical line.
    """

    def draw(axes: Axes) -> None:
        for color, (method, curves) in zip(
            _METHOD_COLORS, methods.items(), strict=False
        ):
            for metric, values in curves.items():
                dash = "--" if metric.endswith("_iou") else "-"
                label = f"{method}, {NAMES[metric]}"
                axes.plot(thresholds, values, dash, color=color, label=label)
        axes.axvline(score_threshold, color=GREY, linewidth=1, linestyle=":")
        label = f"threshold (dotted: {score_threshold:g}, in use)"
        axes.set(xlabel=label, ylim=(0, 1.02))
        axes.figure.legend(loc="outside lower center", ncols=2)

    return {_THRESHOLD_CAPTION: draw_svg(draw, "threshold")}


def _loss_figure(rows: Sequence[Mapping], series: Mapping) -> str:
    def draw(axes: Axes) -> None:
        for key, (label, color) in series.items():
            logged = [(row["step"], row[key]) for row in rows if key in row]
            steps, values = np.array(logged, float).T
            axes.plot(steps, values, color=color, alpha=0.25, linewidth=1)
            axes.plot(steps, _running_mean(values), color=color, label=label)
        axes.set(xlabel="step")
        axes.set_ylim(bottom=0)
        axes.figure.legend(loc="outside lower center", ncols=2)

    return draw_svg(draw, next(iter(series)))


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Centred means over a twentieth of the values; shorter at both ends."""
    reach = len(values) // 40
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def draw_svg(draw: Callable[[Axes], None], name: str) -> str:
    """The SVG element of a drawing; its ids start with `name`, unique on a page."""
    with rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=metadata)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]  # no XML prolog inside HTML
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)  # HTML knows SVG's namespaces
    svg = re.sub(r'(?<= )id="', f'id="{name}-', svg)
    return re.sub(r'(?<=["(])#(?=[\w-]+["\)])', f"#{name}-", svg)


def _parse_line(line: str, place: str) -> dict:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON ({error.msg})") from error
    if not isinstance(row, dict) or "step" not in row:
        raise DataError(f'{place}: not an object with "step"')
    return row
