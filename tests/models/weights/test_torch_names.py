"""Names and layouts of torch, against lists written by hand and recorded names."""

import numpy as np
import pytest

from bas_tf.models.localizer import build_localizer
from bas_tf.models.weights.assign import model_variables
from bas_tf.models.weights.bas_official import canonical
from bas_tf.models.weights.torch_names import keras_layout, torch_layout, torch_name
from tests.golden import weights
from tests.models.weights.torch_checkpoints import reference_shapes

RECORDED = {
    "vgg16": "cub_vgg",
    "resnet50": "cub_resnet",
    "mobilenet_v1": "cub_mobilenet",
    "inception_v3": "cub_inception",
}
COUNTER = "num_batches_tracked"


@pytest.mark.parametrize("backbone", RECORDED)
def test_the_lists_by_hand_are_the_recorded_names(backbone, shared_dir):
    """Entry by entry, names and shapes; CUB's Inception says `classifier`."""
    recorded = weights.entry_shapes(shared_dir, RECORDED[backbone])
    head = "classifier" if backbone == "inception_v3" else "classifier_cls"
    by_hand = reference_shapes(backbone, num_classes=200, classifier=head)
    assert by_hand == recorded


@pytest.mark.parametrize("backbone", RECORDED)
def test_every_variable_has_its_name_and_shape(backbone):
    """The name of each variable is in the list, once, and its shape is torch's.

    Numbers of entries without counters, convolutions + 4 a BatchNorm + 8 of classifier
    and generator: VGG16 2 * 13 + 8 = 34; ResNet50 53 + 4 * 53 + 8 = 273; MobileNetV1
    27 + 4 * 27 + 8 = 143; InceptionV3 94 + 4 * 94 + 8 = 478.
    """
    localizer = build_localizer(
        backbone=backbone,
        num_classes=3,
        input_size_wh=(32, 32),
        classifier={"width": 8},
    )
    ours = {
        torch_name(v.path, backbone): torch_layout(np.asarray(v), v.path).shape
        for v in model_variables(localizer)
    }
    expected = reference_shapes(backbone, num_classes=3, hidden=8)
    expected = {n: s for n, s in expected.items() if not n.endswith(COUNTER)}
    assert ours == expected
    counts = {"vgg16": 34, "resnet50": 273, "mobilenet_v1": 143, "inception_v3": 478}
    assert len(ours) == len(model_variables(localizer)) == counts[backbone]


@pytest.mark.parametrize(
    "path, backbone, name",
    [
        ("backbone/trunk/conv3_2/bias", "vgg16", "conv3_2.bias"),
        ("backbone/trunk/stem/norm/gamma", "resnet50", "bn1.weight"),
        (
            "backbone/head/layer4_0/downsample/norm/moving_variance",
            "resnet50",
            "layer4.0.downsample.1.running_var",
        ),
        (
            "backbone/trunk/layer3_5/conv2/conv/kernel",
            "resnet50",
            "layer3.5.conv2.weight",
        ),
        (
            "backbone/trunk/block11/depthwise/norm/moving_mean",
            "mobilenet_v1",
            "model.11.1.running_mean",
        ),
        (
            "backbone/head/block13/pointwise/norm/beta",
            "mobilenet_v1",
            "model.13.4.bias",
        ),
        (
            "backbone/head/Mixed_7b/branch3x3dbl_3_strips/branch3x3dbl_3b/conv/kernel",
            "inception_v3",
            "Mixed_7b.branch3x3dbl_3b.conv.weight",
        ),
        (
            "backbone/head/classifier/class_maps/kernel",
            "vgg16",
            "classifier_cls.4.weight",
        ),
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
    np.testing.assert_array_equal(torch_layout(array, "a/bias"), array)


@pytest.mark.parametrize(
    "path, shape",
    [("stem/conv/kernel", (5, 4, 3, 2)), ("depthwise/conv/kernel", (4, 1, 3, 2))],
)
def test_layouts_are_each_others_inverse(path, shape, rng):
    array = rng.normal(size=shape)
    np.testing.assert_array_equal(torch_layout(keras_layout(array), path), array)


def test_canonical_names():
    assert canonical("module.layer1.0.conv1.weight") == "layer1.0.conv1.weight"
    assert canonical("classifier.4.bias") == "classifier_cls.4.bias"
    assert canonical("module.classifier.0.weight") == "classifier_cls.0.weight"
    assert canonical("classifier_cls.4.bias") == "classifier_cls.4.bias"
    assert canonical("classifier_loc.0.bias") == "classifier_loc.0.bias"
