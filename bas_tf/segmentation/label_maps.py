"""A photo's label map from a network that was trained on several classes a photo."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from bas_tf import names
from bas_tf.data import preprocess
from bas_tf.data.records import Record
from bas_tf.geometry.frames import Size
from bas_tf.jobs import experiment
from bas_tf.refinement.dense_crf import mean_field
from bas_tf.refinement.views import MULTIPLE
from bas_tf.segmentation import seeds
from bas_tf.segmentation.choices import CONFIDENT
from bas_tf.segmentation.confident_labels import confident_labels
from bas_tf.segmentation.random_walk import masks_from_seeds
from bas_tf.segmentation.seeds import Seeds

LONGEST = 512  # side of a photo; its largest view is twice as long


def make_seeds_fn(
    teacher: experiment.Experiment, *, labels: str, maps: str
) -> Callable[[Record], Seeds]:
    """Seeds of a record's photo, made smaller where it is larger than in training.

    The class names.NO_OBJECT has none.

    Args:
      teacher: the workdir.
      labels: "true", of the record, or "predicted", see `predicted_labels`.
      maps: "bas" for the foreground maps, "cam" for relu(class maps), or "both".
    """
    localizer, data = experiment.load_localizer(teacher), teacher.config.data
    no_object = names.no_object_id(teacher.class_names)
    longest = min(LONGEST, max(data.resize_size))

    @tf.function(reduce_retracing=True, autograph=False)
    def class_maps(images):
        return localizer.backbone(images, training=False)[1]

    @tf.function(reduce_retracing=True, autograph=False)
    def wanted_maps(images):
        features, of_classes = localizer.backbone(images, training=False)
        cams = [tf.nn.relu(of_classes)] if maps != "bas" else []
        return cams if maps == "cam" else [*cams, localizer.generator(features)]

    def network(images: np.ndarray) -> list[np.ndarray]:
        return [found.numpy() for found in wanted_maps(tf.constant(images))]

    def predicted(photo: np.ndarray) -> np.ndarray:
        image = preprocess.resize(photo, tuple(data.crop_size))
        scores = class_maps(tf.constant(image[np.newaxis])).numpy().mean((0, 1, 2))
        return predicted_labels(scores, final_relu=teacher.config.model.final_relu)

    def seeds_of(record: Record) -> Seeds:
        photo = seeds.bounded(record.load_image(), longest)
        found = record.labels if labels == "true" else predicted(photo)
        keys = [k for k in found if k != no_object]
        return seeds.make_seeds(photo, keys, network, multiple=MULTIPLE)

    return seeds_of


def predicted_labels(scores: np.ndarray, *, final_relu: bool) -> np.ndarray:
    """Classes with a score above 0, or the best one where there are none.

    The best one alone of class maps behind a ReLU, whose means are all above 0.

    Args:
      scores: float [classes], before the softmax.
      final_relu: whether the class maps have a ReLU.
    """
    above = np.flatnonzero(scores > 0)
    return above if len(above) and not final_relu else scores.argmax(keepdims=True)


def label_map(found: Seeds, *, threshold: float, refine: str) -> np.ndarray:
    """uint8 [h, w] of the seeds' size: 0 background, else the class + 1.

    Args:
      found: a photo's.
      threshold: see `seeds.label_map`.
      refine: "none", "crf" for labels that follow the photo's colours, or CONFIDENT
        for those of them that are sure, see `confident_labels`.
    """
    maps, keys = found.high, found.keys
    if refine == CONFIDENT:
        return confident_labels(maps, keys, found.photo, threshold=threshold)
    if refine == "none" or not len(keys):
        return seeds.label_map(maps, keys, threshold)
    positions = seeds.label_map(maps, np.arange(len(keys)), threshold)
    beliefs = mean_field(found.photo, positions[np.newaxis], len(keys) + 1)[0]
    return seeds.as_labels(beliefs.argmax(axis=-1), keys)


def walked_map(
    found: Seeds, *, edges: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """As `label_map`, of the `low` seeds after the walk that a photo's edges stop."""
    edge, size_wh = edges(found.photo), found.photo.shape[1::-1]
    return masks_from_seeds(found.low, found.keys, edge, size_wh)


def threshold_confusions(
    found: Seeds, truth: np.ndarray, num_labels: int
) -> np.ndarray:
    """Of the label maps at each of seeds.SWEEP, unrefined; see there."""
    truth = resize_labels(truth, found.high.shape[:0:-1])
    return seeds.confusions_at_thresholds(
        found.high, found.keys, truth, num_labels, seeds.SWEEP
    )


def resize_labels(labels: np.ndarray, size_wh: Size) -> np.ndarray:
    """Nearest label: uint8 [h, w] -> uint8 [size_h, size_w]."""
    resized = Image.fromarray(labels).resize(size_wh, Image.Resampling.NEAREST)
    return np.asarray(resized)
