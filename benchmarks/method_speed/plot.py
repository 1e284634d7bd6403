"""The figures as a PNG: how many times as long the others take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bas_tf.errors import UserError
from bas_tf.report.plots.chart_style import GREY, INK, STYLE

_WIDTH_INCHES, _DOTS_PER_INCH = 13.0, 110
_PANELS = {
    "train": "training step, 8 images",
    "network_1": "inference, 1 image",
    "network_8": "inference, 8 images",
}
_SIDES = {  # label, colour, marker, height in the network's row
    "plain": ("plain port / ours", "#2f81e0", "o", 0.22),
    "torch": ("PyTorch / ours", "#e8830c", "s", 0.0),
    "bfloat16": ("ours / ours in bfloat16", "#2ca25f", "^", -0.22),
}


def plot_path(output: Path) -> Path:
    """Where the plot of a JSON goes; UserError where that is the JSON itself."""
    path = output.with_suffix(".png")
    if path == output:
        raise UserError(f"--output={output}: the plot goes there; name a .json file")
    return path


def speed_figure(figures: Sequence[Mapping]) -> Figure:
    """A panel for each task, a row for each network: the medians and their range.

    The tick is the ratio that the multiply-adds of the reference's arithmetic predict.
    """
    networks = list(dict.fromkeys((f["backbone"], f["classes"]) for f in figures))
    height = 1.6 + 0.55 * len(networks)
    with rc_context(STYLE):
        figure = Figure((_WIDTH_INCHES, height), _DOTS_PER_INCH, facecolor="white")
        top, bottom = 1 - 0.4 / height, 1.1 / height
        figure.subplots_adjust(0.145, bottom, 0.99, top, wspace=0.06)
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, task in zip(panels, _PANELS, strict=True):
            of_task = {
                (f["backbone"], f["classes"]): f for f in figures if f["task"] == task
            }
            _draw(axes, [of_task[network] for network in networks])
            axes.set_title(_PANELS[task], fontsize=12)
        panels[0].set_yticks(
            range(len(networks)), [f"{name}, {n:,}" for name, n in networks]
        )
        panels[0].set_ylim(len(networks) - 0.5, -0.5)
        panels[1].set_xlabel("times as long")
        figure.legend(handles=_legend(figures), loc="lower center", ncols=4)
    return figure


def _draw(axes: Axes, figures: Sequence[Mapping]) -> None:
    axes.axvline(1, color=GREY, lw=1)
    for y, found in enumerate(figures):
        axes.plot(
            [found["expected"]] * 2, [y - 0.36, y + 0.1], color=INK, lw=2, zorder=1
        )
        for name, (_, color, marker, rise) in _SIDES.items():
            if name not in found["ratios"]:
                continue
            middle, least, most = found["ratios"][name]
            axes.errorbar(
                middle, y - rise, xerr=[[middle - least], [most - middle]],
                color=color, marker=marker, ms=7, lw=1.5, zorder=2,
            )  # fmt: skip
    axes.set_xlim(left=0)


def _legend(figures: Sequence[Mapping]) -> list[Line2D]:
    return [
        *(
            Line2D([], [], color=color, marker=marker, ms=7, lw=1.5, label=label)
            for name, (label, color, marker, _) in _SIDES.items()
            if any(name in found["ratios"] for found in figures)
        ),
        Line2D([], [], ls="", color=INK, marker="|", ms=12, mew=2,
               label="reference / ours in multiply-adds"),
    ]  # fmt: skip
