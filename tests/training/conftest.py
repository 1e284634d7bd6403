"""A narrow MobileNetV1 at 64 pixels and a data set of coloured squares."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.data.images import DrawnImage
from bas_tf.data.pipeline import TrainingImages
from bas_tf.data.records import Record
from bas_tf.training import strategy
from bas_tf.training.optimizer import TorchSGD
from tests.training.narrow import narrow_localizer


@pytest.fixture
def build():
    """Builds the same localizer and optimizer again and again."""

    def build_parts(seed=0, base_rate=1e-2, normalize_generator_input=True):
        keras.utils.set_random_seed(seed)
        localizer = narrow_localizer(
            normalize_generator_input=normalize_generator_input
        )
        optimizer = TorchSGD(base_rate)
        optimizer.build(localizer.trainable_variables)
        return localizer, optimizer

    return build_parts


@pytest.fixture
def mirrored(monkeypatch):
    """Two replicas; by their own keys, or TensorFlow mistakes them for others'."""
    monkeypatch.setattr(tf.distribute.MirroredStrategy, "_collective_key_base", 8000)
    distribution = strategy.make_strategy("mirrored")
    assert distribution.num_replicas_in_sync == 2
    return distribution


@pytest.fixture
def squares() -> TrainingImages:
    """Twelve images of a square in one of three colours on grey noise."""
    rng = np.random.default_rng(0)

    def draw(i):
        image = rng.integers(60, 120, [72, 72, 3]).astype(np.uint8)
        y, x = 10 + 3 * (i % 4), 8 + 4 * (i % 5)
        image[y : y + 30, x : x + 30] = np.eye(3, dtype=np.uint8)[i % 3] * 230
        return image

    drawn = [draw(i) for i in range(12)]
    records = [
        Record(
            image_id=str(i),
            label=i % 3,
            image=DrawnImage(lambda i=i: drawn[i], (72, 72)),
        )
        for i in range(12)
    ]
    return TrainingImages(records, resize_size_wh=(72, 72), keep=True)
