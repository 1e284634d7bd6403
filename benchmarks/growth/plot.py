"""The curves as a PNG: a panel for each axis, both scales logarithmic."""

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from bas_tf.report.chart_style import STYLE, png_of

_COLORS = {
    ("ours", "train"): "#2f81e0",
    ("ours", "inference"): "#2ca25f",
    ("plain", "train"): "#e8830c",
    ("plain", "inference"): "#c2185b",
    ("ours", "first_batch"): "#2f81e0",
    ("ours", "batches"): "#2ca25f",
    ("ours", "judge"): "#e8830c",
}
_TITLES = {
    "classes": "classes",
    "size": "pixels of a side",
    "batch": "images of a batch",
    "images": "images of a split",
}


def growth_png(curves: Sequence[Mapping]) -> bytes:
    """`growth_figure` as a PNG file; equal curves give equal bytes."""
    return png_of(growth_figure(curves), dots_per_inch=110)


def growth_figure(curves: Sequence[Mapping]) -> Figure:
    """Seconds over each axis; the exponent stands in the legend.

    Args:
      curves: of `curves.measure_axis`, of any axes.
    """
    axes_names = list(dict.fromkeys(curve["axis"] for curve in curves))
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(axes_names) + 0.4, 3.6), facecolor="white")
        panels = figure.subplots(1, len(axes_names), squeeze=False)[0]
        for panel, axis in zip(panels, axes_names, strict=True):
            for curve in curves:
                if curve["axis"] == axis:
                    _draw(panel, curve)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xlabel(_TITLES[axis])
            _label_points(panel, [curve for curve in curves if curve["axis"] == axis])
            panel.legend(fontsize=8, loc="upper left")
            low, high = panel.get_ylim()
            panel.set_ylim(low, high * 6)  # room for the legend
        panels[0].set_ylabel("seconds")
        figure.tight_layout()
    return figure


def _label_points(panel, curves: Sequence[Mapping]) -> None:
    """The horizontal axis names the points themselves, computed ones too."""
    points = {v for c in curves for v in (*c["values"], *map(int, c["computed"]))}
    panel.set_xticks(sorted(points), [f"{point:,}" for point in sorted(points)])
    panel.set_xticks([], minor=True)


def _draw(panel, curve: Mapping) -> None:
    color = _COLORS[curve["side"], curve["task"]]
    name = curve["task"].replace("_", " ")
    if curve["side"] != "ours":
        name = f"{curve['side']} port, {name}"
    label = f"{name}: exponent {curve['exponent']:.2f}"
    panel.plot(curve["values"], curve["seconds"], "o-", color=color, label=label)
    for value, seconds in curve["computed"].items():
        ends = [curve["values"][-1], int(value)], [curve["seconds"][-1], seconds]
        panel.plot(*ends, "--", color=color)
        panel.plot(int(value), seconds, "o", color=color, mfc="white")
