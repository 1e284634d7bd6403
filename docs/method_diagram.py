"""The method as a diagram: one drawing on its way through a training step."""

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from bas_tf.analysis.masked_features import average_masks
from bas_tf.report import pictures
from bas_tf.report.plots.chart_style import GREY, INK, STYLE, png_of
from docs import drawings, loss_pulls

INDEX, GRID = loss_pulls.INDEX, 36
SIZE = (12.0, 5.0)  # inches; the diagram's coordinates are its tenths
TRAINED, FROZEN, LOSS = "#dcebfb", "#ececec", "#fbe3e6"


def diagram_png() -> bytes:
    """Photo, trunk, map, hidden photo, activation; where the four losses act."""
    drawn = drawings.example(INDEX)
    foreground = average_masks((drawn.mask > 0)[np.newaxis], (GRID, GRID))[0, ..., 0]
    size_wh = drawn.image.shape[1::-1]
    stretched = cv2.resize(foreground, size_wh, interpolation=cv2.INTER_NEAREST)
    hidden = (drawn.image * (1 - stretched[..., np.newaxis])).astype(np.uint8)
    with rc_context(STYLE):
        canvas = _Canvas()
        canvas.picture(drawn.image, (3, 27), "photo, label $y$", above=True)
        canvas.block((26, 32), "trunk $f_1$\nstride 8", TRAINED)
        canvas.block((45, 32), "features $F$", "white")
        canvas.block((64, 32), "head $f_2$\nclass maps $A$", TRAINED)
        canvas.block((83, 32), "$S$ = mean of $A$", "white")
        canvas.block((103, 32), "$L_{cls} = CE(S, y)$", LOSS)
        canvas.block((83, 42), "mean of $A\\,M_y$", "white")
        canvas.block((103, 42), "$L_{frg} = CE(\\overline{A\\,M_y}, y)$", LOSS)
        canvas.block((26, 12), "generator\nconv 3x3, sigmoid", TRAINED)
        canvas.block((24, 1), "$L_{ac}$ = mean of $M_y$", LOSS)
        heat = pictures.heatmap(foreground, size_wh)
        canvas.picture(heat, (45, 6), "map $M_y$")
        canvas.picture(hidden, (64, 6), "$F\\,(1 - M_y)$, as a photo")
        canvas.block((83, 12), "head $f_2^*$\nconstant weights", FROZEN)
        canvas.block((103, 12), "$L_{bas} = S^b_y\\,/\\,S_y$", LOSS)
        for start, end in (
            ((18, 35), (26, 35)), ((40, 35), (45, 35)), ((59, 35), (64, 35)),
            ((78, 35), (83, 35)), ((97, 35), (103, 35)), ((74, 38), (83, 44)),
            ((49, 32), (36, 18)), ((40, 15), (45, 15)), ((60, 15), (64, 15)),
            ((79, 15), (83, 15)), ((97, 15), (103, 15)), ((93, 32), (107, 18)),
            ((55, 32), (68, 22.8)), ((45, 8), (40, 5)), ((97, 45), (103, 45)),
        ):  # fmt: skip
            canvas.arrow(start, end)
        canvas.line((60, 20), (61.5, 20), (61.5, 46.5))
        canvas.arrow((61.5, 46.5), (83, 46.5))
    return png_of(canvas.figure, dots_per_inch=100)


class _Canvas:
    """A figure on which blocks, pictures and arrows are placed by hand."""

    def __init__(self):
        self.figure = Figure(figsize=SIZE, facecolor="white")
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, 10 * SIZE[0]), ylim=(0, 10 * SIZE[1]))
        self._axes.set_axis_off()

    def block(self, corner, text: str, color: str) -> None:
        """A rounded box with text in it; `corner` is its lower left."""
        width = 16 if color == LOSS else 14
        x, y = corner
        self._axes.add_patch(
            FancyBboxPatch(
                corner, width, 6, boxstyle="round,pad=0,rounding_size=1", fc=color,
                ec=GREY,
            )
        )  # fmt: skip
        self._write((x + width / 2, y + 3), text, "center")

    def picture(self, image: np.ndarray, corner, title: str, *, above=False) -> None:
        """An image of 15 x 15 and its title; `corner` is its lower left."""
        x, y = corner
        self._axes.imshow(image, extent=(x, x + 15, y + 1.5, y + 16.5), zorder=2)
        self._axes.set(xlim=(0, 10 * SIZE[0]), ylim=(0, 10 * SIZE[1]))
        if above:
            self._write((x + 7.5, y + 17.2), title, "bottom")
        else:
            self._write((x + 7.5, y + 0.8), title, "top")

    def arrow(self, start, end) -> None:
        """An arrow from one point to another."""
        self._axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=12, color=GREY, lw=1.3,
                shrinkA=0, shrinkB=0, zorder=3,
            )
        )  # fmt: skip

    def line(self, *points) -> None:
        """A line through points, to which an arrow may be joined."""
        self._axes.plot(*zip(*points, strict=True), color=GREY, lw=1.3, zorder=3)

    def _write(self, place, text: str, vertical: str) -> None:
        self._axes.text(*place, text, ha="center", va=vertical, fontsize=10, color=INK)
