"""A photo's label map from a network with a softmax of maps: each pixel's highest."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.data.records import Record
from bas_tf.geometry.components import resize_map
from bas_tf.jobs import experiment
from bas_tf.refinement.views import mean_over_views, parse_views
from bas_tf.segmentation import seeds
from bas_tf.segmentation.label_maps import LONGEST
from bas_tf.segmentation.seeds import Seeds


def make_seeds_fn(
    student: experiment.Experiment, *, labels: str, views: str
) -> Callable[[Record], Seeds]:
    """How likely each label is compared with background, as logits.

    `seeds.label_map` at threshold 0 takes the highest of the labels and background. The
    whole photo is seen at the size of training, in one pass unless there are views.

    Args:
      student: the workdir.
      labels: "true", the record's alone, or "predicted", all classes.
      views: what log shares are averaged over, see `refinement.views`.
    """
    localizer, count = experiment.load_localizer(student), len(student.class_names)
    no_object = names.no_object_id(student.class_names)
    seen = parse_views(views, tuple(student.config.data.crop_size))

    @tf.function(reduce_retracing=True, autograph=False)
    def log_shares(images):
        features = localizer.backbone.trunk(images, training=False)
        return tf.nn.log_softmax(localizer.generator.logits(features))

    def by_channel(images: np.ndarray) -> dict[int, np.ndarray]:
        found = log_shares(tf.constant(images))
        return dict(enumerate(np.moveaxis(found.numpy(), -1, 0)))

    def seeds_of(record: Record) -> Seeds:
        photo = seeds.bounded(record.load_image(), LONGEST)
        found = mean_over_views(by_channel, [photo], seen)
        wanted = record.labels if labels == "true" else range(count)
        keys = np.array([k for k in wanted if k != no_object], int)
        channels = [count, *keys]  # background first
        maps = [resize_map(found[k][0], photo.shape[1::-1]) for k in channels]
        above = np.stack(maps)[1:] - maps[0]
        highest = seeds.label_map(above, np.arange(len(keys)), 0)
        kept = np.setdiff1d(highest, 0) - 1  # a CRF has less to do
        return Seeds(photo, keys[kept], above[kept])

    return seeds_of
