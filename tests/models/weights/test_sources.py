"""What `model.weights` of a config means."""

import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import weights_file
from bas_tf.models.weights.sources import load_weights
from tests.training.narrow import narrow_localizer


def build(seed):
    keras.utils.set_random_seed(seed)
    return narrow_localizer(backbone="mobilenet_v1")


@pytest.fixture(scope="module")
def localizer():
    return build(0)


def test_no_name_leaves_the_fresh_weights(localizer):
    before = [v.numpy() for v in localizer.variables]
    load_weights(localizer, "")
    for variable, value in zip(localizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_file(localizer, tmp_path):
    trained = build(1)
    trained.backbone.set_input_scaling("caffe")
    path = tmp_path / "a.weights.h5"
    weights_file.save(trained, path, source="a test")
    load_weights(localizer, str(path))
    for variable, value in zip(localizer.variables, trained.variables, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_missing_file(localizer):
    with pytest.raises(UserError, match="^lost.weights.h5: no such file$"):
        load_weights(localizer, "lost.weights.h5")


@pytest.mark.parametrize("weights", ["resnet", "Imagenet", "a.pth", "a.h5"])
def test_an_unknown_name(localizer, weights):
    with pytest.raises(UserError) as error:
        load_weights(localizer, weights)
    assert str(error.value) == (
        f"model.weights is {weights!r}; known: '', imagenet, a workdir, or a file that "
        "ends in .weights.h5"
    )


def test_imagenet_is_keras_applications_for_mobilenet(localizer):
    """Its weights need the variant keras, and this localizer is the paper's."""
    with pytest.raises(UserError, match="^model.variant is 'paper', but .*'keras'"):
        load_weights(localizer, "imagenet")
