"""Small real models: a shallow network at 64 pixels."""

import keras
import numpy as np
import pytest

from tests.training.narrow import narrow_localizer


@pytest.fixture
def localizer():
    keras.utils.set_random_seed(0)
    return narrow_localizer(num_classes=5)


@pytest.fixture
def images(rng):
    return rng.uniform(0, 255, [3, 64, 64, 3]).astype(np.float32)
