"""Names and layouts of torch, against recorded names."""

import numpy as np
import pytest

from bas_tf.models.weights.assign import model_variables
from bas_tf.models.weights.bas_official import canonical
from bas_tf.models.weights.torch_names import keras_layout, torch_name
from tests.golden import weights
from tests.models.weights.torch_checkpoints import COUNTER, build, reference_shapes


@pytest.mark.parametrize("backbone", weights.CUB)
def test_every_variable_has_its_recorded_name_and_shape(backbone, shared_dir):
    recorded = weights.entry_shapes(shared_dir, weights.CUB[backbone])
    localizer = build(backbone, num_classes=200, hidden=1024)
    ours = reference_shapes(localizer)
    assert ours == {canonical(name): shape for name, shape in recorded.items()}
    named = [name for name in ours if not name.endswith(COUNTER)]
    assert len(named) == len(model_variables(localizer))


@pytest.mark.parametrize(
    "path, backbone, name",
    [
        ("foreground_generator/bias", "vgg16", "classifier_loc.0.bias"),
        ("foreground_generator/norm/moving_mean", "vgg16", None),  # ours alone
        ("backbone/trunk/scaling/mean", "vgg16", None),
        ("backbone/trunk/conv3_2/bias", "resnet50", None),
    ],
)
def test_some_names(path, backbone, name):
    assert torch_name(f"localizer/{path}", backbone) == name


def test_layouts(rng):
    """Indices are moved by hand; a depthwise kernel's one input comes last."""
    dense = rng.normal(size=[5, 4, 3, 2])  # out, in, height, width
    moved = keras_layout(dense)
    assert moved.shape == (3, 2, 4, 5)
    assert all(
        moved[y, x, i, o] == dense[o, i, y, x] for o, i, y, x in np.ndindex(5, 4, 3, 2)
    )
    depthwise = rng.normal(size=[4, 1, 3, 2])
    moved = keras_layout(depthwise)
    assert moved.shape == (3, 2, 4, 1)
    assert all(
        moved[y, x, c, 0] == depthwise[c, 0, y, x] for c, y, x in np.ndindex(4, 3, 2)
    )


@pytest.mark.parametrize("shape", [(), (4,), (5, 4)])
def test_other_arrays_keep_their_layout(shape, rng):
    array = rng.normal(size=shape)
    np.testing.assert_array_equal(keras_layout(array), array)


def test_canonical_names():
    assert canonical("module.layer1.0.conv1.weight") == "layer1.0.conv1.weight"
    assert canonical("classifier.4.bias") == "classifier_cls.4.bias"
    assert canonical("module.classifier.0.weight") == "classifier_cls.0.weight"
    assert canonical("classifier_cls.4.bias") == "classifier_cls.4.bias"
    assert canonical("classifier_loc.0.bias") == "classifier_loc.0.bias"
