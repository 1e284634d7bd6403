"""One drawing for the tour, and one of each class side by side."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bas_tf.data.drawings.source import Example, SyntheticSource, draw_example
from bas_tf.geometry.boxes import box_from_mask
from bas_tf.report import pictures
from bas_tf.report.plots.chart_style import STYLE

SEED, SPLIT, SIZE = 7, "handbook", (288, 288)  # no split that anything trains on
TOUR_INDEX = 15


def example(index: int, size: tuple[int, int] = SIZE) -> Example:
    """A drawing of the handbook."""
    return draw_example(seed=SEED, split=SPLIT, index=index, image_size=size)


def drawing_jpg() -> bytes:
    """The drawing that the tour localizes."""
    return pictures.encode_image(example(TOUR_INDEX).image, ".jpg")


def classes_jpg() -> bytes:
    """Eight drawings, one of each class, with name and true box."""
    shown = sorted((example(i) for i in range(8)), key=lambda drawn: drawn.label)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.9), layout="constrained", facecolor="white")
        for axes, drawn in zip(figure.subplots(2, 4).flat, shown, strict=True):
            box = box_from_mask(drawn.mask)
            picture = pictures.overlay(drawn.image, true_boxes=[box])
            show(axes, picture, SyntheticSource.class_names[drawn.label])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return pictures.encode_image(np.asarray(canvas.buffer_rgba())[..., :3], ".jpg")


def show(axes: Axes, picture, title: str) -> None:
    """A picture in axes without ticks, its title above it."""
    axes.imshow(picture)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
