"""The paper's figure 1 as a PNG: three curves over the area of the mask."""

from collections.abc import Mapping

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bas_tf.report.plots.chart_style import GREY, STYLE, png_of

_SIZE_INCHES, _DPI = (8.0, 5.0), 130
# Name, colour, whether the range is shown falling from 1, and what 95 % of it means.
_CURVES = {
    "cross_entropy": ("cross-entropy", "#d6455d", True, "lost"),
    "activation": ("activation $S_y$", "#2f81e0", False, "gained"),
    "background_activation": ("background activation $S^b_y$", "#2ca25f", True, "lost"),
}
_MARKED = ("cross_entropy", "activation")
_TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_WIDEST_SHARE = 20.0  # further right there is background only


def activation_png(document: Mapping) -> bytes:
    """`activation_figure` as a PNG file; equal documents give equal bytes."""
    return png_of(activation_figure(document))


def activation_figure(document: Mapping) -> Figure:
    """Draws an activation.json.

    Each curve is scaled to its own range image by image, then averaged: a line for
    the mean and a band between the quartiles. Dots show where 95 % of the range of
    a mean curve is behind.
    """
    with rc_context(STYLE):
        figure = Figure(_SIZE_INCHES, _DPI, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        for name in _CURVES:
            _draw_curve(axes, document, name)
        _draw_frame(axes, document)
    return figure


def _draw_curve(axes: Axes, document: Mapping, name: str) -> None:
    label, color, falls, verb = _CURVES[name]
    scaled = document[name]["normalized"]
    shown = {
        key: [1 - value if falls else value for value in scaled[key]][1:]
        for key in ("mean", "quartile_1", "quartile_3")
    }
    shares = document["shares"][1:]  # a logarithmic axis has no 0
    share = document["saturation"][f"{name}_95"]
    is_marked = name in _MARKED and share is not None
    if is_marked:
        label += f": 95 % {verb} at {share:.2f}"
    axes.fill_between(
        shares, shown["quartile_1"], shown["quartile_3"], color=color, alpha=0.15, lw=0
    )
    axes.plot(shares, shown["mean"], color=color, lw=2, label=label)
    if is_marked:
        end = 0.95 * max(scaled["mean"])
        height = 1 - end if falls else end
        axes.plot([share], [height], "o", color=color, ms=8, mec="white", zorder=3)


def _draw_frame(axes: Axes, document: Mapping) -> None:
    means = [line.get_ydata() for line in axes.get_lines()]  # dots too
    lowest, highest = min(map(min, means)), max(map(max, means))
    right = min(document["shares"][-1], _WIDEST_SHARE)
    ticks = [tick for tick in _TICKS if tick <= right]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color=GREY, lw=1.2, ls="--", label="the object's boundary")
    axes.set(
        xlabel="area of the mask / area of the object",
        ylabel="share of the curve's own range",
        xlim=(document["shares"][1], right),
        ylim=(min(0.0, lowest) - 0.02, max(1.0, highest) + 0.05),
    )
    axes.set_title(_title(document), fontsize=11)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)


def _title(document: Mapping) -> str:
    kept = document["num_images"] - document["num_left_out"]
    return (
        f"Features masked by eroded and dilated true masks: {document['split']}, "
        f"{kept} images (mean, quartiles)"
    )
