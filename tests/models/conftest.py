"""Small real models: a narrow MobileNetV1 at 64 pixels."""

import keras
import numpy as np
import pytest

from bas_tf.models.localizer import build_localizer


@pytest.fixture
def localizer():
    keras.utils.set_random_seed(0)
    return build_localizer(
        backbone="mobilenet_v1",
        num_classes=5,
        input_size_wh=(64, 64),
        classifier={"variant": "linear"},
        backbone_options={"width": 0.125},
    )


@pytest.fixture
def images(rng):
    return rng.uniform(0, 255, [3, 64, 64, 3]).astype(np.float32)
