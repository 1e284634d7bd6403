"""From images to scores, localization maps and boxes, of predicted or given classes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.data import preprocess
from bas_tf.models.foreground_generator import SOFTMAX
from bas_tf.models.localizer import Localizer
from bas_tf.ops import boxes_from_maps, masking, score_maps
from bas_tf.ops.precision import at_least_float32

PredictFn = Callable[[np.ndarray], dict[str, np.ndarray]]
LabelFn = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
ScoresFn = Callable[[np.ndarray], np.ndarray]
_CENTRE = 4  # the place of the centre crop in `preprocess.ten_crops`


def predict(
    localizer: Localizer,
    images: tf.Tensor,
    labels: tf.Tensor | None = None,
    *,
    score_threshold: float,
) -> dict[str, tf.Tensor]:
    """Predicts in the graph; without labels exactly what every export computes.

    Protocol `bas`: the map is min-max normalised at its own resolution, resized to
    the image bilinearly, cut at the threshold; the largest component gives the box.

    Args:
      images: [batch, height, width, 3] uint8 or float32 in 0..255.
      labels: [batch] int, in [0, classes); adds their maps, from the same pass
        through the network.
      score_threshold: in [0, 1).

    Returns:
      names.SCORES [batch, classes], LOCALIZATION_MAP [batch, h, w, 1],
      CAM [batch, h', w', 1], BOXES [batch, 4] in pixels of `images`,
      DEGENERATE [batch]; of a softmax of maps SEGMENTATION; with labels also the
      labels' ones, keyed by `names.of_label`.
    """
    outputs = localizer(images, training=False)

    def boxes_of(maps):
        return map_to_boxes(maps, images.shape[1:3], score_threshold=score_threshold)

    found = {
        names.SCORES: tf.nn.softmax(outputs[names.LOGITS]),
        names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP],
        names.CAM: outputs[names.CAM],
        **boxes_of(outputs[names.LOCALIZATION_MAP]),
    }
    if localizer.generator.map_outputs == SOFTMAX:
        logits = localizer.generator.logits(outputs[names.FEATURES])
        found[names.SEGMENTATION] = segmentation(logits, images.shape[1:3])
    if labels is None:
        return found
    of_label = {
        **found,
        names.CAM: at_least_float32(
            masking.select_class(outputs[names.CLASS_MAPS], labels)
        ),
    }
    if localizer.top_k == 1:
        maps = localizer.generator(outputs[names.FEATURES], labels[:, tf.newaxis])
        of_label |= {names.LOCALIZATION_MAP: maps, **boxes_of(maps)}
    return {**found, **names.of_label(of_label)}


def predict_given_class(
    localizer: Localizer,
    images: tf.Tensor,
    class_ids: tf.Tensor,
    *,
    score_threshold: float,
) -> dict[str, tf.Tensor]:
    """Like `predict`, with the map and box of one given class per image, without CAM.

    class_ids are [batch] int, in [0, classes).
    """
    features, class_maps = localizer.backbone(images, training=False)
    maps = localizer.generator(features, class_ids[:, tf.newaxis])
    return {
        names.SCORES: tf.nn.softmax(masking.global_average_pool(class_maps)),
        names.LOCALIZATION_MAP: maps,
        **map_to_boxes(maps, images.shape[1:3], score_threshold=score_threshold),
    }


def map_to_boxes(
    localization_map: tf.Tensor, size_hw: tuple[int, int], *, score_threshold: float
) -> dict[str, tf.Tensor]:
    """names.BOXES and DEGENERATE from maps, for an image of `size_hw` pixels."""
    normalized = score_maps.normalize_min_max(localization_map)
    resized = score_maps.resize_bilinear(normalized, size_hw)
    return boxes_from_maps.boxes_from_maps(resized, score_threshold=score_threshold)


def segmentation(logits: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """names.SEGMENTATION, the highest of `ForegroundGenerator.logits`."""
    background_first = tf.concat([logits[..., -1:], logits[..., :-1]], axis=-1)
    resized = score_maps.resize_bilinear(background_first, size_hw)
    return tf.cast(tf.argmax(resized, axis=-1, output_type=tf.int32), tf.uint8)


def make_predict_fn(localizer: Localizer, *, score_threshold: float) -> PredictFn:
    """The prediction function of a Keras model, for evaluators; see `predict`.

    Returns:
      images [batch, height, width, 3], 0..255 -> NumPy arrays under names.SCORES
      [batch, classes], LOCALIZATION_MAP [batch, h, w], CAM [batch, h', w'], BOXES
      [batch, 4] in pixels of the images, DEGENERATE [batch], and as `predict`
      SEGMENTATION.
    """

    return _on_arrays(
        lambda images: predict(localizer, images, score_threshold=score_threshold)
    )


def make_label_fn(localizer: Localizer, *, score_threshold: float) -> LabelFn:
    """(images, labels int [batch]) -> as `make_predict_fn`, and of the same pass
    names.LABEL_MAP, LABEL_CAM, LABEL_BOXES and LABEL_DEGENERATE."""

    return _on_arrays(
        lambda images, labels: predict(
            localizer, images, labels, score_threshold=score_threshold
        )
    )


def make_maps_fn(localizer: Localizer):
    """(images of any size, class_ids int [batch]) -> the maps of these classes alone:
    names.LOCALIZATION_MAP [batch, h, w] and CAM [batch, h', w']."""

    def maps_of(images, class_ids):
        features, class_maps = localizer.backbone(images, training=False)
        cams = masking.select_class(class_maps, class_ids)
        return {
            names.LOCALIZATION_MAP: localizer.generator(features, class_ids[:, None]),
            names.CAM: at_least_float32(cams),
        }

    return _on_arrays(maps_of)


def _on_arrays(function: Callable[..., Mapping[str, tf.Tensor]]) -> Callable:
    """The function as a graph: of NumPy images, and class ids if it takes them.

    Returns NumPy arrays; maps without their channel axis.
    """
    in_graph = of_any_batch(function)

    def call(images: np.ndarray, *class_ids: np.ndarray) -> dict[str, np.ndarray]:
        ids = [tf.constant(of, tf.int32) for of in class_ids]
        outputs = in_graph(tf.constant(images), *ids)
        arrays = {key: value.numpy() for key, value in outputs.items()}
        return {k: v[..., 0] if v.ndim == 4 else v for k, v in arrays.items()}

    return call


def of_any_batch(function: Callable) -> Callable:
    """The function of batches as a graph that is traced once for all their sizes."""
    in_graph = tf.function(function, autograph=False)

    def call(*batches: tf.Tensor):
        specs = [tf.TensorSpec([None, *b.shape[1:]], b.dtype) for b in batches]
        return in_graph.get_concrete_function(*specs)(*batches)

    return call


def make_scores_fn(localizer: Localizer) -> ScoresFn:
    """Images -> names.SCORES of `make_predict_fn` alone: no generator, no boxes."""

    def scores_of(images):
        _, class_maps = localizer.backbone(images, training=False)
        return tf.nn.softmax(masking.global_average_pool(class_maps))

    in_graph = of_any_batch(scores_of)
    return lambda images: in_graph(tf.constant(images)).numpy()


def make_given_class_fn(
    localizer: Localizer, *, class_id: int, score_threshold: float
) -> PredictFn:
    """Like `make_predict_fn`, with the map of one given class, predicted or not.

    names.SCORES has the softmax of that class, and zero for the others.
    """

    def of_class(images):
        class_ids = tf.fill([tf.shape(images)[0]], class_id)
        outputs = predict_given_class(
            localizer, images, class_ids, score_threshold=score_threshold
        )
        given = tf.one_hot(class_ids, localizer.num_classes)
        return {**outputs, names.SCORES: outputs[names.SCORES] * given}

    return _on_arrays(of_class)


def ten_crop_scores(
    centre_scores: np.ndarray,
    positions: np.ndarray,
    *,
    images: Sequence[np.ndarray],
    scores_fn: ScoresFn,
    crop_size_wh: tuple[int, int],
) -> np.ndarray:
    """Softmax averaged over four corners, the centre and their mirror images.

    The model runs on one view of the whole batch at a time, nine times.

    Args:
      centre_scores: [batch, classes], softmax of the centre crops, from the pass that
        made their maps.
      positions: int [batch], the index of each in `images`.
      images: of a split, uint8 [resize_h, resize_w, 3] each, as `ResizedImages`.
      scores_fn: of a model that scores all classes: crops [batch, crop_h, crop_w, 3]
        -> [batch, classes].
      crop_size_wh: width and height of a crop.

    Returns:
      [batch, classes] float32.
    """
    crops = [preprocess.ten_crops(images[int(i)], crop_size_wh) for i in positions]
    total = np.array(centre_scores, np.float32)
    for view in range(10):
        if view != _CENTRE:
            total += scores_fn(np.stack([ten[view] for ten in crops]))
    return total / 10
