"""One pass of a predict_fn over a data set, kept so that nothing runs twice."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.metrics.classification import top_class_ids
from bas_tf.metrics.confidence import confidence, object_scores
from bas_tf.metrics.localization import LABEL, PREDICTED

MAP_CLASSES = (LABEL, PREDICTED)
_OBJECT_SCORES = "object_scores"

PredictFn = Callable[[np.ndarray], Mapping[str, np.ndarray]]
LabelFn = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]
RankFn = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model said, image by image, in the order of the records.

    Attributes:
      labels: int64 [n], the true classes.
      class_ids: int32 [n, min(5, classes)], predicted classes, best first; [n, 0] of a
        model that does not classify.
      scores: float32 [n], the score of the first predicted class.
      maps: float32 [n, h, w], localization maps as they came, not normalised.
      boxes: float32 [n, 4], half-open, pixels of the crop, at the model's threshold.
      degenerate: bool [n], the model's own flag.
      cams: float32 [n, h', w'], class maps of the label or of the first predicted
        class; None from a model that gives none.
      segmentations: uint8 [n, height, width], pixels of the crop; None of a model
        without them.
      map_class: LABEL or PREDICTED, whose maps, boxes and CAMs these are. LABEL of a
        model that averages the maps of its top-k predicted classes is that mean.
      predicted: where map_class is LABEL, the same images with the maps of what the
        model predicts; None of a model that does not classify.
      no_object: the class id of photos without an object, if there is one.
      object_scores: then float32 [n], the best score of another class.
    """

    labels: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray
    maps: np.ndarray
    boxes: np.ndarray
    degenerate: np.ndarray
    cams: np.ndarray | None
    segmentations: np.ndarray | None = None
    map_class: str = PREDICTED
    predicted: "Predictions | None" = None
    no_object: int | None = None
    object_scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classifies(self) -> bool:
        return self.class_ids.shape[1] > 0

    @property
    def first_class_ids(self) -> np.ndarray:
        """int32 [n], the first predicted class; -1 where there is none."""
        if self.classifies:
            return self.class_ids[:, 0]
        return np.full(len(self), -1, np.int32)

    def confidences(self, score_threshold: float) -> np.ndarray:
        """`metrics.confidence` of each image's box at a threshold: float64 [n]."""
        best = self.scores if self.object_scores is None else self.object_scores
        scores = best[:, np.newaxis] if self.classifies else self.class_ids
        pairs = zip(scores, self.maps, strict=True)
        found = [confidence(s, m, score_threshold=score_threshold) for s, m in pairs]
        return np.array(found, np.float64)


def predict_all(
    *,
    batches: Iterable[Mapping],
    num_records: int,
    predict_fn: PredictFn | None = None,
    label_fn: LabelFn | None = None,
    rank_fn: RankFn | None = None,
    class_names: Sequence[str] = (),
) -> Predictions:
    """Runs the model once over every image.

    Args:
      batches: dicts of names.IMAGES [b, crop_h, crop_w, 3], names.LABELS [b] and
        names.INDEX [b], the position in the records or names.PADDING, which goes
        through the model and is left out; any order and any batch size.
      num_records: images expected.
      predict_fn: images -> names.SCORES [b, classes], names.LOCALIZATION_MAP
        [b, h, w] or [b, h, w, 1], names.BOXES [b, 4], names.DEGENERATE [b] and
        maybe names.CAM, shaped like the map. It is given no labels, and the result is
        PREDICTED. Not called where there is a label_fn.
      label_fn: (images, labels [b]) -> names.LABEL_MAP, LABEL_BOXES, LABEL_DEGENERATE,
        maybe LABEL_CAM, and what a predict_fn gives unless the model does not classify.
        The result is LABEL.
      rank_fn: (scores [b, classes], positions in the records [b]) -> the scores
        [b, classes] that classes are ranked by; None ranks by the predict_fn's own.
      class_names: the model's; only names.NO_OBJECT among them matters.

    Raises:
      UserError: a label is none of the model's classes: another data set's model.
      ValueError: the batches do not hold every record exactly once.
    """
    pieces = [
        _piece(batch, predict_fn, label_fn, rank_fn, class_names) for batch in batches
    ]
    columns = _in_order(pieces, num_records)

    def predictions(keys: tuple[str, ...], **reading) -> Predictions:
        maps, boxes, degenerate, cam = keys
        return Predictions(
            labels=columns[names.LABELS],
            class_ids=columns[names.CLASS_IDS],
            scores=columns[names.SCORES],
            maps=columns[maps],
            boxes=columns[boxes],
            degenerate=columns[degenerate],
            cams=columns.get(cam),
            segmentations=columns.get(names.SEGMENTATION),
            no_object=names.no_object_id(class_names),
            object_scores=columns.get(_OBJECT_SCORES),
            **reading,
        )

    has_predicted = names.LOCALIZATION_MAP in columns
    predicted = predictions(_OF_PREDICTED) if has_predicted else None
    if label_fn is None:
        return predicted
    return predictions(_OF_LABEL, map_class=LABEL, predicted=predicted)


def _piece(
    batch: Mapping, predict_fn, label_fn, rank_fn, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """One batch's part of every column, and of names.INDEX; see `predict_all`."""
    images = np.asarray(batch[names.IMAGES])
    labels = np.asarray(batch[names.LABELS], np.int64)
    outputs = label_fn(images, labels) if label_fn else predict_fn(images)
    is_image = np.asarray(batch[names.INDEX]) != names.PADDING
    outputs = {key: np.asarray(value)[is_image] for key, value in outputs.items()}
    labels = labels[is_image]
    index = np.asarray(batch[names.INDEX], np.int64)[is_image]
    scores = outputs.pop(names.SCORES, None)
    if scores is not None:
        _check_labels(labels, scores.shape[-1])
        if rank_fn is not None:
            scores = rank_fn(scores, index)
    return {
        names.INDEX: index,
        names.LABELS: labels,
        **_classes(scores, len(labels), class_names),
        **{k: keep(outputs[k]) for k, keep in _KEPT.items() if k in outputs},
    }


def _in_order(pieces: list[dict], num_records: int) -> dict[str, np.ndarray]:
    """The columns of all pieces, in the order of the records."""
    index = _concatenate(pieces, names.INDEX)
    if not np.array_equal(np.sort(index), np.arange(num_records)):
        raise ValueError(
            f"batches hold {len(index)} images, {len(np.unique(index))} of them "
            f"distinct, for {num_records} records; each must come exactly once"
        )
    order = np.argsort(index)
    return {key: _concatenate(pieces, key)[order] for key in pieces[0]}


def _check_labels(labels: np.ndarray, num_classes: int) -> None:
    if ((labels < 0) | (labels >= num_classes)).any():
        raise UserError(
            f"labels span {labels.min()}..{labels.max()}, but the model has "
            f"{num_classes} classes: labels must be in 0..{num_classes - 1}"
        )


def _classes(
    scores: np.ndarray | None, count: int, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """The first classes and the best scores; none from a model without scores."""
    if scores is None:
        return {
            names.CLASS_IDS: np.empty([count, 0], np.int32),
            names.SCORES: np.full(count, np.nan, np.float32),
        }
    best = {names.CLASS_IDS: top_class_ids(scores), names.SCORES: scores.max(axis=-1)}
    if names.NO_OBJECT in class_names:
        best[_OBJECT_SCORES] = object_scores(scores, class_names).max(axis=-1)
    return best


def _as_maps(maps) -> np.ndarray:
    """[b, h, w] or [b, h, w, 1] -> float32 [b, h, w]."""
    maps = np.asarray(maps, np.float32)
    return maps.reshape(maps.shape[:3])


# The outputs that are needed later, and the form in which they are kept.
_OF_PREDICTED = names.LOCALIZATION_MAP, names.BOXES, names.DEGENERATE, names.CAM
_OF_LABEL = names.LABEL_MAP, names.LABEL_BOXES, names.LABEL_DEGENERATE, names.LABEL_CAM
_AS_KEPT = _as_maps, np.float32, np.bool_, _as_maps
_KEPT = dict(zip((*_OF_PREDICTED, *_OF_LABEL), 2 * _AS_KEPT, strict=True))
_KEPT[names.SEGMENTATION] = np.uint8


def _concatenate(pieces: list[dict], key: str) -> np.ndarray:
    """One column of all batches; empty when there was no batch."""
    if not pieces:
        return np.empty(0, np.int64)
    return np.concatenate([piece[key] for piece in pieces])
