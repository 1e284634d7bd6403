"""One pass of a predict_fn over a data set, kept so that nothing runs twice."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.metrics.classification import top_class_ids

PredictFn = Callable[[np.ndarray], Mapping[str, np.ndarray]]
RankFn = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a predict_fn said, image by image, in the order of the records.

    Attributes:
      labels: int64 [n], the true classes.
      class_ids: int32 [n, min(5, classes)], predicted classes, best first.
      scores: float32 [n], the score of the first predicted class.
      maps: float32 [n, h, w], localization maps as they came, not normalised.
      boxes: float32 [n, 4], half-open, pixels of the crop, at the model's threshold.
      degenerate: bool [n], the model's own flag.
      cams: float32 [n, h', w'], class maps of the first predicted class; None from a
        predict_fn that gives none.
      num_classes: classes the model knows.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray
    maps: np.ndarray
    boxes: np.ndarray
    degenerate: np.ndarray
    cams: np.ndarray | None
    num_classes: int

    def __len__(self) -> int:
        return len(self.labels)


def predict_all(
    *,
    batches: Iterable[Mapping],
    predict_fn: PredictFn,
    num_records: int,
    rank_fn: RankFn | None = None,
) -> Predictions:
    """Runs the predict_fn once over every image.

    Args:
      batches: dicts of names.IMAGES [b, crop_h, crop_w, 3], names.LABELS [b] and
        names.INDEX [b], the position in the records or names.PADDING, which goes
        through the predict_fn and is left out; any order and any batch size.
      predict_fn: images -> names.SCORES [b, classes], names.LOCALIZATION_MAP
        [b, h, w] or [b, h, w, 1], names.BOXES [b, 4], names.DEGENERATE [b] and
        maybe names.CAM, shaped like the map. It is given no labels.
      num_records: images expected.
      rank_fn: (scores [b, classes], positions in the records [b]) -> the scores
        [b, classes] that classes are ranked by; None ranks by the predict_fn's own.

    Raises:
      UserError: a label is none of the model's classes: another data set's model.
      ValueError: the batches do not hold every record exactly once.
    """
    pieces, num_classes = [], 0
    for batch in batches:
        outputs = predict_fn(np.asarray(batch[names.IMAGES]))
        is_image = np.asarray(batch[names.INDEX]) != names.PADDING
        outputs = {key: np.asarray(value)[is_image] for key, value in outputs.items()}
        labels = np.asarray(batch[names.LABELS], np.int64)[is_image]
        index = np.asarray(batch[names.INDEX], np.int64)[is_image]
        scores = outputs[names.SCORES]
        num_classes = scores.shape[-1]
        _check_labels(labels, num_classes)
        if rank_fn is not None:
            scores = rank_fn(scores, index)
        pieces.append(
            {names.INDEX: index, names.LABELS: labels, **_keep(outputs, scores)}
        )
    index = _concatenate(pieces, names.INDEX)
    if not np.array_equal(np.sort(index), np.arange(num_records)):
        raise ValueError(
            f"batches hold {len(index)} images, {len(np.unique(index))} of them "
            f"distinct, for {num_records} records; each must come exactly once"
        )
    order = np.argsort(index)
    columns = {key: _concatenate(pieces, key)[order] for key in pieces[0]}
    return Predictions(
        labels=columns[names.LABELS],
        class_ids=columns[names.CLASS_IDS],
        scores=columns[names.SCORES],
        maps=columns[names.LOCALIZATION_MAP],
        boxes=columns[names.BOXES],
        degenerate=columns[names.DEGENERATE],
        cams=columns.get(names.CAM),
        num_classes=num_classes,
    )


def _check_labels(labels: np.ndarray, num_classes: int) -> None:
    if ((labels < 0) | (labels >= num_classes)).any():
        raise UserError(
            f"labels span {labels.min()}..{labels.max()}, but the model has "
            f"{num_classes} classes: labels must be in 0..{num_classes - 1}"
        )


def _keep(outputs: Mapping, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of one batch's outputs that the judge needs later."""
    kept = {
        names.SCORES: np.max(scores, axis=-1),
        names.CLASS_IDS: top_class_ids(scores),
        names.LOCALIZATION_MAP: _as_maps(outputs[names.LOCALIZATION_MAP]),
        names.BOXES: np.asarray(outputs[names.BOXES], np.float32),
        names.DEGENERATE: np.asarray(outputs[names.DEGENERATE], bool),
    }
    if names.CAM in outputs:
        kept[names.CAM] = _as_maps(outputs[names.CAM])
    return kept


def _as_maps(maps) -> np.ndarray:
    """[b, h, w] or [b, h, w, 1] -> float32 [b, h, w]."""
    maps = np.asarray(maps, np.float32)
    return maps.reshape(maps.shape[:3])


def _concatenate(pieces: list[dict], key: str) -> np.ndarray:
    """One column of all batches; empty when there was no batch."""
    if not pieces:
        return np.empty(0, np.int64)
    return np.concatenate([piece[key] for piece in pieces])
