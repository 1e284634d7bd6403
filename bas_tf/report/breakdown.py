"""What a run's figures are made of: kinds of errors, classes, confusions, scores."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from bas_tf.metrics import error_taxonomy
from bas_tf.metrics.calibration import Reliability, reliability
from bas_tf.metrics.confusion import confusion_counts
from bas_tf.metrics.localization import LABEL
from bas_tf.report.cases import Case, choose_spread
from bas_tf.report.class_table import ClassRow, class_rows

EXAMPLES = 4  # of each kind
KINDS = {
    error_taxonomy.CORRECT: ("Right", "IoU above 0.5, and the class is right"),
    error_taxonomy.WRONG_CLASS: ("Wrong class", "the box is right, the class is not"),
    error_taxonomy.WRONG_CLASS_AND_BOX: (
        "Wrong class and box",
        "neither the class nor the box is right",
    ),
    error_taxonomy.BOX_TOO_SMALL: (
        "Box too small",
        "the class is right; more than two thirds of the box lie inside the true box",
    ),
    error_taxonomy.BOX_TOO_LARGE: (
        "Box too large",
        "the class is right; the box covers more than two thirds of the true box",
    ),
    error_taxonomy.BOX_ELSEWHERE: (
        "Box elsewhere",
        "the class is right; at most two thirds of either box lie in the other: it is "
        "next to the object or on another one",
    ),
    error_taxonomy.DEGENERATE: (
        "No usable map",
        "the map gave no box, and the whole crop is not right either",
    ),
}


@dataclasses.dataclass(frozen=True)
class ErrorGroup:
    """The images of one kind, which is in words; share: of those with true boxes."""

    title: str
    meaning: str
    count: int
    share: float
    examples: list[Case]


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """What the page shows of an evaluation beyond its figures.

    Attributes:
      errors: a group for each of KINDS; none where no image has a true box.
      classes: every class, see `class_rows`.
      confusion: int [classes, classes + 1], see `metrics.confusion`.
      class_names: names by class id.
      reliability: of the predicted class's probability.
      box_reliability: of the box's confidence, against its IoU; None without boxes.
    """

    errors: list[ErrorGroup]
    classes: list[ClassRow]
    confusion: np.ndarray
    class_names: Sequence[str]
    reliability: Reliability
    box_reliability: Reliability | None = None

    @property
    def has_boxes(self) -> bool:
        return bool(self.errors)


def break_down(
    *,
    labels: np.ndarray,
    class_ids: np.ndarray,
    scores: np.ndarray,
    ious: np.ndarray,
    kinds: np.ndarray,
    class_names: Sequence[str],
    draw_cases: Callable[[np.ndarray], list[Case]],
    map_class: str = LABEL,
    confidences: np.ndarray | None = None,
) -> Breakdown:
    """Breaks n evaluated images down.

    Args:
      class_ids: int [n], first predicted classes, -1 for none.
      scores: [n], their probabilities, NaN for none.
      ious: [n], best IoU over the true boxes, NaN where there is none.
      kinds: str [n], of `error_taxonomy`; "" where an image has no true box.
      draw_cases: positions [m] -> the pictures of these images.
    """
    is_class_right, has_box = class_ids == labels, ~np.isnan(ious)
    box_reliability = None
    if confidences is not None and has_box.any():
        box_reliability = reliability(confidences[has_box], ious[has_box])
    return Breakdown(
        errors=_error_groups(np.asarray(kinds, str), labels, draw_cases),
        classes=class_rows(
            labels=labels,
            is_class_right=is_class_right,
            map_class=map_class,
            ious=ious,
            class_names=class_names,
        ),
        confusion=confusion_counts(labels, class_ids, len(class_names)),
        class_names=class_names,
        reliability=reliability(scores, is_class_right),
        box_reliability=box_reliability,
    )


def _error_groups(kinds: np.ndarray, labels: np.ndarray, draw_cases) -> list:
    """A group for each of KINDS, its examples spread over the classes."""
    total = int((kinds != "").sum())
    if not total:
        return []
    groups = []
    for kind, (title, meaning) in KINDS.items():
        members = np.flatnonzero(kinds == kind)
        chosen = members[choose_spread(labels[members], count=EXAMPLES)]
        groups.append(
            ErrorGroup(
                title=title,
                meaning=meaning,
                count=len(members),
                share=len(members) / total,
                examples=draw_cases(chosen),
            )
        )
    return groups
