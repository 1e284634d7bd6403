"""Which images the report shows, and their pictures."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bas_tf.data import pipeline
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.metrics.confusion import NO_CLASS
from bas_tf.report import pictures


@dataclasses.dataclass(frozen=True)
class Case:
    """One image of the report.

    Attributes:
      picture: RGB uint8, where one is shown.
      score: softmax probability of the predicted class.
      iou: best IoU over the true boxes; NaN when there is none.
    """

    picture: np.ndarray | None
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
    """Indices of the `count` highest IoUs, best first, and the lowest, worst first.

    NaN, an image without a true box, is never chosen; both may share some of few.
    """
    ious = np.asarray(ious)
    known = np.flatnonzero(~np.isnan(ious))
    worst = known[np.argsort(ious[known], kind="stable")]
    best = known[np.argsort(-ious[known], kind="stable")]
    return best[:count], worst[:count]


def build_cases(
    evaluated: EvaluationResult, indices: Sequence[int], *, tile_height: int = 224
) -> list[Case]:
    """The cases of some images, their pictures by `pictures.panel`."""
    found, predictions = [], evaluated.predictions
    for i in indices:
        picture = pictures.panel(
            crop_of(evaluated, i),
            localization_map=predictions.maps[i],
            cam=None if predictions.cams is None else predictions.cams[i],
            box=evaluated.evaluation.per_image["box"][i],
            true_boxes=true_boxes_of(evaluated, i),
            tile_height=tile_height,
        )
        found.append(case_of(evaluated, i, picture))
    return found


def case_of(
    evaluated: EvaluationResult, index: int, picture: np.ndarray | None = None
) -> Case:
    """An image's case, whatever its picture shows."""
    names, predictions = evaluated.class_names, evaluated.predictions
    return Case(
        picture=picture,
        true_class=names[predictions.labels[index]],
        predicted_class=class_name(names, predictions.first_class_ids[index]),
        score=float(predictions.scores[index]),
        iou=float(evaluated.evaluation.per_image["iou"][index]),
    )


def crop_of(evaluated: EvaluationResult, index: int) -> np.ndarray:
    """RGB uint8 [crop_h, crop_w, 3], what the network saw."""
    crop_size = tuple(evaluated.config.data.crop_size)
    return pipeline.centre_crops(evaluated.images, [index], crop_size_wh=crop_size)[0]


def true_boxes_of(evaluated: EvaluationResult, index: int) -> np.ndarray:
    """[m, 4] in the crop; m is 0 where there is none."""
    places = np.flatnonzero(evaluated.truth.images == index)
    return evaluated.truth.boxes[places[0]] if len(places) else np.empty([0, 4])
