"""A step from the same state is the same step: no sum has an order left to chance."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses
from bas_tf.jobs import experiment
from bas_tf.models import bas_terms

CONFIGS = {
    "vgg16": "paper.cub_vgg16",
    "mobilenet_v1": "paper.cub_mobilenet_v1",
    "resnet50": "paper.cub_resnet50",
    "inception_v3": "paper.cub_inception_v3",
    "efficientnet_lite0": "butterflies_efficientnet_lite0",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone, masked",
    [*((name, False) for name in CONFIGS), ("efficientnet_lite0", True)],
)
def test_at_most_two_gradients_are_added_at_once(backbone, masked):
    """TensorFlow's AddN of three or more begins with whichever buffer is free. The sums
    of one kind are of slices cut within one layer: their buffers are free in turn."""
    config = importlib.import_module(f"bas_tf.configs.{CONFIGS[backbone]}").get_config()
    config.model.backbone, config.model.weights = backbone, ""
    config.data.crop_size = (64, 64)
    localizer = experiment.build_model(config, 2)
    images = tf.constant(np.random.default_rng(0).uniform(0, 255, [2, 64, 64, 3]))
    images, labels = tf.cast(images, tf.float32), tf.constant([0, 1])
    masks = tf.zeros([2, 64, 64, 1], tf.uint8) if masked else None

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            terms = bas_terms.bas_terms(
                localizer, images, labels, masks, background_wins="zero"
            )
            total = tf.reduce_mean(losses.weighted_sum(terms, alpha=0.5, beta=1.5))
        return tape.gradient(total, localizer.trainable_variables)

    operations = gradients.get_concrete_function().graph.get_operations()
    sums = [op for op in operations if op.type == "AddN" and len(op.inputs) > 2]
    assert len(operations) > 100
    for op in sums:
        assert {each.op.type for each in op.inputs} in (
            {"StridedSlice"}, {"StridedSliceGrad"},
        ), op.name  # fmt: skip
