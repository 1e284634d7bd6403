"""Which images the report shows, and their pictures."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bas_tf.metrics.confusion import NO_CLASS
from bas_tf.report import pictures


@dataclasses.dataclass(frozen=True)
class Case:
    """One image of the report.

    Attributes:
      picture: its panel, RGB uint8.
      true_class, predicted_class: class names.
      score: softmax probability of the predicted class.
      iou: best IoU over the true boxes; NaN when there is none.
    """

    picture: np.ndarray
    true_class: str
    predicted_class: str
    score: float
    iou: float

    @property
    def outcome(self) -> str:
        """For example "predicted viceroy 0.83, IoU 0.71"."""
        iou = "no true box" if np.isnan(self.iou) else f"IoU {self.iou:.2f}"
        return f"predicted {self.predicted_class} {self.score:.2f}, {iou}"

    @property
    def caption(self) -> str:
        """The true class, then the outcome."""
        return f"{self.true_class}, {self.outcome}"


def panel_titles(*, has_boxes: bool) -> tuple[str, ...]:
    """What the tiles of a case's picture are; whether the split has true boxes."""
    titles = pictures.PANEL_TITLES
    return titles if has_boxes else ("box", *titles[1:])


def class_name(class_names: Sequence[str], class_id: int) -> str:
    """The name of a predicted class; "no class" where the model gave no score."""
    return "no class" if class_id == NO_CLASS else class_names[class_id]


def spread_evenly(members: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the members, at equal distances."""
    count = min(count, len(members))
    return members[(2 * np.arange(count) + 1) * len(members) // (2 * max(count, 1))]


def choose_spread(labels: np.ndarray, *, count: int = 16) -> np.ndarray:
    """Images spread evenly over the classes, and over each class's own images.

    Args:
      labels: [n] class ids.
      count: how many; with fewer images than that, all.

    Returns:
      Int [min(count, n)] distinct indices, by class, then by position; the same for
      the same labels.
    """
    labels = np.asarray(labels)
    count = min(count, len(labels))
    classes = np.unique(labels)
    slots = classes[np.arange(count) * len(classes) // max(count, 1)]
    chosen = [
        spread_evenly(np.flatnonzero(labels == label), quota)
        for label, quota in zip(*np.unique(slots, return_counts=True), strict=True)
    ]
    chosen = np.concatenate([np.empty(0, int), *chosen])
    spare = np.setdiff1d(np.arange(len(labels)), chosen)  # small classes leave slots
    chosen = np.concatenate([chosen, spare[: count - len(chosen)]])
    return chosen[np.lexsort((chosen, labels[chosen]))]


def choose_best_and_worst(
    ious: np.ndarray, *, count: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the highest IoUs, best first, and of the lowest, worst first.

    Args:
      ious: [n]; NaN where an image has no true box: never chosen.
      count: how many of each; with fewer than twice as many images both may share
        some.
    """
    ious = np.asarray(ious)
    known = np.flatnonzero(~np.isnan(ious))
    worst = known[np.argsort(ious[known], kind="stable")]
    best = known[np.argsort(-ious[known], kind="stable")]
    return best[:count], worst[:count]


def build_cases(
    indices: Sequence[int],
    *,
    images: Sequence[np.ndarray],
    localization_maps: Sequence[np.ndarray],
    cams: Sequence[np.ndarray] | None,
    boxes: np.ndarray,
    true_boxes: Sequence[np.ndarray],
    labels: np.ndarray,
    class_ids: np.ndarray,
    scores: np.ndarray,
    ious: np.ndarray,
    class_names: Sequence[str],
    tile_height: int = 224,
) -> list[Case]:
    """The cases of some images of a split.

    Args:
      indices: which of the n images.
      images: n times RGB uint8 [height, width, 3], in the crop frame.
      localization_maps: n times [h, w].
      cams: n times [h', w'], or None when the model gives none.
      boxes: [n, 4] predicted boxes in the crop frame.
      true_boxes: n times [m, 4] in the crop frame, m may be 0.
      labels: [n] class ids.
      class_ids: [n] predicted classes.
      scores: [n] their softmax probabilities.
      ious: [n] best IoU, NaN when there is no true box.
      class_names: names by class id.
      tile_height: of the panels, see `visualize.panel`.
    """
    return [
        Case(
            picture=pictures.panel(
                images[i],
                localization_map=localization_maps[i],
                cam=None if cams is None else cams[i],
                box=boxes[i],
                true_boxes=true_boxes[i],
                tile_height=tile_height,
            ),
            true_class=class_names[labels[i]],
            predicted_class=class_name(class_names, class_ids[i]),
            score=float(scores[i]),
            iou=float(ious[i]),
        )
        for i in indices
    ]
