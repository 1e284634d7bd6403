"""A loaded model, and what every file's loader makes of its outputs."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from bas_tf import names
from bas_tf.geometry import components
from bas_tf.geometry.frames import Size


@dataclasses.dataclass(frozen=True)
class Runner:
    """A loaded model as the evaluator and the command line see it.

    Attributes:
      predict_fn: as returned by `inference.make_predict_fn`; "cam" only from Keras, and
        scores other than 0 only for `num_scored` classes. A file that draws the map of
        a given class raises UserError.
      class_names: in the order of class ids.
      input_size_wh: the only size it takes; None when it takes any.
      trained_size_wh: what it was trained at, where it takes any size and says so.
      scores_fn: as `inference.make_scores_fn` returns, the classifier alone; None
        where it cannot be run alone, as in a file.
      scores_precision: of `scores_fn`, see `ops.precision`.
      num_scored: how many classes, the best ones, a file returns scores of; None for
        all.
      score_threshold: of its boxes; None for a file of an older version that does not
        record it.
      label_fn: as returned by `inference.make_label_fn`, "label_cam" only from Keras;
        for a file that draws the map of a given class, only that. None if no class can
        be given, unless top-k maps are averaged, where the label is not used.
      views: what its maps are averaged over, see `refinement.views`; "" for one view.
      refine: what its boxes are refined by, of `refined_boxes.REFINEMENTS`.
      labels_pixels: whether predictions have names.SEGMENTATION.
    """

    predict_fn: Callable[[np.ndarray], dict[str, np.ndarray]]
    class_names: tuple[str, ...]
    input_size_wh: tuple[int, int] | None
    scores_fn: Callable[[np.ndarray], np.ndarray] | None = None
    scores_precision: str = "float32"
    num_scored: int | None = None
    score_threshold: float | None = None
    label_fn: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]] | None = None
    trained_size_wh: tuple[int, int] | None = None
    views: str = ""
    refine: str = "none"
    labels_pixels: bool = False

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Softmax [batch, classes], computing as little else as possible.

        It is 0 for all but the `num_scored` best classes.
        """
        if self.scores_fn is None:
            return self.predict_fn(images)[names.SCORES]
        return self.scores_fn(images)


def file_label_fn(predict_fn, of_classes, top_k: int):
    """A file's `Runner.label_fn`, from its top-k and its given-class function."""
    if top_k > 1:

        def label_fn(images, labels):
            predicted = predict_fn(images)
            return {**predicted, **names.of_label(predicted)}

        return label_fn
    if of_classes is None:
        return None
    return lambda images, labels: {
        **predict_fn(images),
        **names.of_label(of_classes(images, labels)),
    }


def evaluated_outputs(outputs: dict, num_classes: int = 0) -> dict[str, np.ndarray]:
    """Scatters top classes to [batch, classes] (0 elsewhere); drops maps' channel axis.

    Without `num_classes` the scores are empty.
    """
    scores = np.zeros([len(outputs[names.BOXES]), num_classes], np.float32)
    if num_classes:
        class_ids = outputs[names.CLASS_IDS].astype(np.int64)
        np.put_along_axis(scores, class_ids, outputs[names.SCORES], axis=1)
    segmentation = {k: outputs[k] for k in (names.SEGMENTATION,) if k in outputs}
    return {
        **segmentation,
        names.SCORES: scores,
        names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP][..., 0],
        names.BOXES: outputs[names.BOXES],
        names.DEGENERATE: outputs[names.DEGENERATE].reshape(-1),
    }


def with_outputs(
    runner: Runner,
    outputs_of: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]],
    *,
    source: str = names.LOCALIZATION_MAP,
    **changes,
) -> Runner:
    """A model some of whose outputs are made from its maps, of either class.

    Args:
      runner: the model.
      outputs_of: (images, maps [n, h, w]) -> the outputs that replace its own.
      source: which maps: names.LOCALIZATION_MAP or CAM, of the label as well.
      **changes: attributes of the new model.
    """

    def predict_fn(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = runner.predict_fn(images)
        return {**outputs, **outputs_of(images, outputs[source])}

    def label_fn(images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        outputs = runner.label_fn(images, labels)
        of_label = outputs_of(images, names.as_prediction(outputs)[source])
        predicted = outputs_of(images, outputs[source]) if source in outputs else {}
        return {**outputs, **predicted, **names.of_label(of_label)}

    return dataclasses.replace(
        runner,
        predict_fn=predict_fn,
        label_fn=label_fn if runner.label_fn else None,
        **changes,
    )


def box_outputs(found: Iterable[tuple[np.ndarray, bool]]) -> dict[str, np.ndarray]:
    """names.BOXES and DEGENERATE of (box, whether it is degenerate) pairs."""
    boxes, degenerate = zip(*found, strict=True)
    return {names.BOXES: np.stack(boxes), names.DEGENERATE: np.array(degenerate)}


def boxes_of_maps(
    maps: np.ndarray, size_wh: Size, score_threshold: float
) -> dict[str, np.ndarray]:
    """names.BOXES and DEGENERATE of maps [n, h, w], see `components.box_from_map`."""
    return box_outputs(
        components.box_from_map(
            m, crop_size_wh=size_wh, score_threshold=score_threshold
        )
        for m in maps
    )
