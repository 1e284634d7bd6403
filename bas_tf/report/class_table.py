"""The table of classes: the worst on the page, all of them in a CSV file."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence

import numpy as np

from bas_tf.metrics.by_class import means_by_class
from bas_tf.metrics.localization import IOU_THRESHOLD, LABEL, NAMES
from bas_tf.report.table import format_percent

LISTED = 20  # on the page; the rest is counted


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """What a model reaches on the images of one class, which may have none.

    figures: {key of `table.NAMES`: fraction in [0, 1]}; NaN where no image counts.
    """

    name: str
    num_images: int
    num_with_boxes: int
    figures: dict[str, float]

    @property
    def cells(self) -> list[str]:
        """Counts and figures as text, in the order of the page's columns."""
        counts = [str(self.num_images), str(self.num_with_boxes)]
        return counts + [format_percent(value) for value in self.figures.values()]


def class_rows(
    *,
    labels: np.ndarray,
    is_class_right: np.ndarray,
    ious: np.ndarray,
    class_names: Sequence[str],
    map_class: str = LABEL,
) -> list[ClassRow]:
    """All classes, the lowest Top-1 Loc first.

    Of equals the lowest Top-1 accuracy comes first, then the lower class id. Classes
    without boxes come after those with, classes without images last. As `break_down`.
    """
    num_classes, has_box = len(class_names), ~np.isnan(ious)
    right = np.where(has_box, ious > IOU_THRESHOLD, np.nan)
    loc, mean_iou = NAMES[map_class]
    values = {
        "top1_loc": np.where(is_class_right, right, right * 0),
        loc: right,
        mean_iou: ious,
        "top1_acc": is_class_right,
    }
    means = {
        key: means_by_class(of_images, labels, num_classes).tolist()
        for key, of_images in values.items()
    }
    num_images = np.bincount(labels, minlength=num_classes)
    num_with_boxes = np.bincount(labels[has_box], minlength=num_classes)
    rows = [
        ClassRow(
            name=name,
            num_images=int(num_images[i]),
            num_with_boxes=int(num_with_boxes[i]),
            figures={key: of_classes[i] for key, of_classes in means.items()},
        )
        for i, name in enumerate(class_names)
    ]
    return sorted(rows, key=_rank)


def _rank(row: ClassRow) -> list[float]:
    figures = row.figures["top1_loc"], row.figures["top1_acc"]
    return [math.inf if math.isnan(figure) else figure for figure in figures]


def class_csv(rows: Sequence[ClassRow]) -> str:
    """A header and one line for each row, fractions in nine digits, NaN empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "images", "images_with_boxes", *rows[0].figures])
    for row in rows:
        figures = [
            "" if math.isnan(figure) else format(figure, ".9g")
            for figure in row.figures.values()
        ]
        writer.writerow([row.name, row.num_images, row.num_with_boxes, *figures])
    return text.getvalue()
