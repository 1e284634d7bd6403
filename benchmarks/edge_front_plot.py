"""The front of `edge_front` as a PNG: accuracy over latency, a point for each file."""

import math
from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bas_tf.report.plots.chart_style import GREY, INK, STYLE
from benchmarks.edge_front_rows import COSTS, pareto_front

_SIZE_INCHES, _DOTS_PER_INCH = (14.0, 7.5), 110
_PANELS = {"predicted_map_iou": "mean IoU", "predicted_map_loc": "box right"}
_HEAD_COLORS = ("#2f81e0", "#e8830c", "#2ca25f", "#a45ad6")
_MARKERS = {"none": "o", "float16": "s", "dynamic": "^", "int8": "D"}
_MARKER_NAMES = {"none": "float32"}
_AREA, _AREA_PER_MB = 30.0, 8.0  # of a marker, in square points
_LABEL_POINTS = 8
_TICKS = (0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)


def front_figure(rows: Sequence[Mapping]) -> Figure:
    """Two panels over the latency: mean IoU and share of right boxes, in percent.

    Colour is the head, the marker's shape the quantization, it grows with the
    file; a number is the input's size. The step line is the front of latency and the
    panel's figure, the ring the knee.
    """
    heads = list(dict.fromkeys(row["head"] for row in rows))
    colors = dict(zip(heads, _HEAD_COLORS, strict=False))
    with rc_context(STYLE):
        figure = Figure(figsize=_SIZE_INCHES, facecolor="white", dpi=_DOTS_PER_INCH)
        figure.subplots_adjust(0.055, 0.2, 0.99, 0.95, wspace=0.13)
        panels = figure.subplots(1, len(_PANELS), sharex=True)
        for axes, key in zip(panels, _PANELS, strict=True):
            _draw_front(axes, rows, key)
            _draw_points(axes, rows, key, colors)
            _draw_labels(axes, rows, key, colors)
            _draw_frame(axes, rows, key)
        figure.legend(
            handles=_legend(rows, colors), loc="lower center", ncols=6, fontsize=10
        )
    return figure


def _draw_front(axes: Axes, rows: Sequence[Mapping], key: str) -> None:
    front = pareto_front(rows, costs=COSTS[:1], accuracy=key)
    x = [row["p50_ms"] for row in front]
    y = [100 * row[key] for row in front]
    axes.step(x, y, where="post", color=GREY, lw=1.5, zorder=1)


def _draw_points(axes: Axes, rows: Sequence[Mapping], key: str, colors) -> None:
    for row in sorted(rows, key=lambda row: -row["size_bytes"]):  # small ones on top
        x, y, area = row["p50_ms"], 100 * row[key], _area(row["size_bytes"])
        axes.scatter(
            x, y, area, color=colors[row["head"]], marker=_MARKERS[row["quantization"]],
            alpha=0.75, edgecolors="white", linewidths=0.7, zorder=2,
        )  # fmt: skip
        if row["is_knee"]:
            axes.scatter(
                x, y, _outer_area(row), facecolors="none", edgecolors=INK, lw=1.8,
                zorder=3,
            )  # fmt: skip


def _area(size_bytes: int) -> float:
    return _AREA + _AREA_PER_MB * size_bytes / 1e6


def _outer_area(row: Mapping) -> float:
    """Of the marker, or of the ring around it."""
    area = _area(row["size_bytes"])
    return 3 * area + 150 if row["is_knee"] else area


def _draw_frame(axes: Axes, rows: Sequence[Mapping], key: str) -> None:
    times = [row["p50_ms"] for row in rows]
    left, right = min(times) / 1.15, max(times) * 1.15
    ticks = [tick for tick in _TICKS if left <= tick <= right]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.margins(y=0.1)
    axes.set(xlabel="median latency of an image, ms", xlim=(left, right))
    axes.set_title(f"{_PANELS[key]}, %", fontsize=12)


def _draw_labels(axes: Axes, rows: Sequence[Mapping], key: str, colors) -> None:
    """Each point's input size above it; float16, next to float32, has it below."""
    for row in rows:
        reach = math.sqrt(_outer_area(row) / math.pi) + _LABEL_POINTS
        axes.annotate(
            str(row["size"]),
            (row["p50_ms"], 100 * row[key]),
            (0, -reach if row["quantization"] == "float16" else reach),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_LABEL_POINTS,
            color=colors[row["head"]],
        )


def _legend(rows: Sequence[Mapping], colors: Mapping[str, str]) -> list[Line2D]:
    def dot(label, color, marker="o", size=8.0, **options):
        return Line2D(
            [], [], ls="", marker=marker, color=color, ms=size, label=label, **options
        )

    used = {row["quantization"] for row in rows}
    return [
        *(dot(f"head {head}", color) for head, color in colors.items()),
        *(
            dot(_MARKER_NAMES.get(key, key), GREY, marker)
            for key, marker in _MARKERS.items()
            if key in used
        ),
        *(
            dot(f"{size} MB", GREY, size=math.sqrt(_area(size * 1e6)), alpha=0.5)
            for size in (5, 20)
        ),
        Line2D([], [], color=GREY, lw=1.5, label="front of the panel"),
        dot("knee: the default to ship", INK, size=13, mfc="none", mew=1.8),
        dot("number: input size", "none"),
    ]
