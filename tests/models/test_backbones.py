"""What every backbone is: strides, channels, variants, and what travels with it."""

import inspect

import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models import backbones
from bas_tf.models.backbones.inception_v3 import AveragePooling
from bas_tf.models.input_scaling import INPUT_SCALINGS
from tests.lively import enliven
from tests.training import narrow


def build(name, **options):
    keras.utils.set_random_seed(0)
    return backbones.BACKBONES[name](
        num_classes=3, classifier={"variant": "linear"}, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, channels",
    [
        ("vgg16", {}, 512),
        ("resnet50", {}, 1024),
        ("resnet50", {"variant": "keras"}, 1024),
        ("inception_v3", {}, 768),
        ("inception_v3", {"variant": "keras"}, 768),
        ("mobilenet_v1", {}, 512),
        ("mobilenet_v1", {"variant": "keras"}, 512),
        ("mobilenet_v1", {"width": 0.25}, 128),  # 512 / 4
        ("mobilenet_v1", {"width": 0.25, "head_downsampling": "pool"}, 128),
        ("efficientnet_lite0", {}, 1152),
    ],
)
def test_trunk_at_stride_8_and_head_at_stride_16(name, options, channels, rng):
    """At any multiples of 32, square or not; features end in a ReLU.

    Hiding multiplies by zero, which means nothing only behind a ReLU.
    """
    backbone = build(name, **options)
    backbone(np.zeros([1, 32, 32, 3], np.uint8))
    enliven(backbone)
    for height, width in ((32, 32), (64, 96)):
        images = rng.integers(0, 256, [2, height, width, 3]).astype(np.uint8)
        features, class_maps = backbone(images)
        assert features.shape == (2, height // 8, width // 8, channels)
        assert class_maps.shape == (2, height // 16, width // 16, 3)
        np.testing.assert_array_equal(features, backbone.trunk(images))
        np.testing.assert_array_equal(class_maps, backbone.head(features))
        assert np.min(features) == 0 < np.max(features)
        assert np.min(class_maps) >= 0 < np.max(class_maps)


def test_resnets_trunk_at_stride_16_feeds_a_head_of_its_size():
    """Layer 3 halves in place of the pooling; one more step is no option."""
    backbone = build("resnet50", trunk_stride=16)
    features, class_maps = backbone(np.zeros([1, 64, 96, 3], np.uint8))
    assert features.shape == (1, 4, 6, 1024)
    assert class_maps.shape == (1, 4, 6, 3)
    assert backbone.trunk_stride == 16
    with pytest.raises(UserError, match="model.trunk_stride is 32; known: 8, 16"):
        build("resnet50", trunk_stride=32)


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_the_classifiers_options_reach_every_backbone(name):
    """VGG16's head has 512 channels, MobileNet's 1024, EfficientNet's 1280."""
    channels = {"vgg16": 512, "mobilenet_v1": 1024, "efficientnet_lite0": 1280}
    backbone = backbones.BACKBONES[name](
        num_classes=9,
        classifier={"variant": "paper", "width": 4, "final_relu": False},
    )
    backbone(np.zeros([1, 32, 32, 3], np.uint8))
    kernels = [layer.kernel for layer in backbone.head.layers[-1].convolutions]
    assert [tuple(kernel.shape) for kernel in kernels] == [
        (3, 3, channels.get(name, 2048), 4), (3, 3, 4, 4), (1, 1, 4, 9),
    ]  # fmt: skip
    assert backbone.head.layers[-1].convolutions[-1].activation.__name__ == "linear"


@pytest.mark.parametrize("name", ["resnet50", "inception_v3", "mobilenet_v1"])
def test_an_unknown_variant(name):
    message = "model.variant is 'torch'; known: paper, keras"
    with pytest.raises(UserError, match=f"^{message}$"):
        build(name, variant="torch")


def test_the_options_that_configs_pass_on_are_those_the_backbones_take():
    for name, backbone in backbones.BACKBONES.items():
        common = {"self", "num_classes", "classifier", "kwargs"}
        taken = set(inspect.signature(backbone.__init__).parameters) - common
        assert taken == set(backbones.OPTIONS.get(name, ()))


@pytest.mark.parametrize(
    "counts_padding, corner, edge", [(True, 4 / 9, 6 / 9), (False, 1, 1)]
)
def test_inceptions_average_pooling_of_ones(counts_padding, corner, edge):
    """A corner's window holds 4 ones of 9, an edge's 6."""
    pool = AveragePooling(counts_padding=counts_padding)
    pooled = np.asarray(pool(np.ones([1, 3, 4, 1], np.float32)))[0, ..., 0]
    ends, middle = [corner, edge, edge, corner], [edge, 1, 1, edge]
    np.testing.assert_allclose(pooled, [ends, middle, ends], rtol=1e-6)


@pytest.mark.parametrize("name", ["caffe", "lite"])
def test_the_input_scaling_travels_in_the_weights(name, tmp_path):
    path = tmp_path / "narrow.weights.h5"
    first, second = (
        narrow.ShallowMobileNet(num_classes=3, classifier={"variant": "linear"})
        for _ in range(2)
    )
    for backbone in (first, second):
        backbone.build((1, 32, 32, 3))
    second.set_input_scaling("none" if name != "none" else "lite")
    first.set_input_scaling(name)
    first.save_weights(path)
    second.load_weights(path)
    pixels = second.trunk.get_layer("scaling")
    expected = np.array(INPUT_SCALINGS[name], np.float32)  # mean, std
    np.testing.assert_array_equal(np.stack([pixels.mean, pixels.std]), expected)
    image = np.full([1, 32, 32, 3], 200, np.uint8)
    np.testing.assert_array_equal(first.trunk(image), second.trunk(image))
    np.testing.assert_allclose(
        pixels(image)[0, 0, 0], (200 - expected[0]) / expected[1], rtol=1e-5
    )


def test_a_fresh_backbone_has_the_scaling_of_its_published_weights():
    for name in backbones.BACKBONES:
        backbone = build(name)
        pixels = backbone.trunk.get_layer("scaling")
        pixels.build([None, 32, 32, 3])
        scaling = "lite" if name == "efficientnet_lite0" else "torch"
        expected = np.array(INPUT_SCALINGS[scaling], np.float32)
        np.testing.assert_array_equal(np.stack([pixels.mean, pixels.std]), expected)
        trainable = {id(v) for v in backbone.trainable_variables}
        assert not trainable & {id(v) for v in pixels.variables}


def test_mobilenets_width_scales_every_channel_but_keeps_eight():
    backbone = build("mobilenet_v1", width=0.125)
    filters = [
        layer.pointwise.conv.filters
        for layer in (*backbone.trunk.layers[2:], *backbone.head.layers[:-1])
    ]
    # 64 128 128 256 256 512 x 6 1024 x 2, each an eighth of it.
    assert filters == [8, 16, 16, 32, 32, *[64] * 6, 128, 128]
    assert backbone.trunk.get_layer("stem").conv.filters == 8  # 4 would be too few


@pytest.mark.parametrize("downsampling, strides", [("stride", 2), ("pool", 1)])
def test_mobilenets_head_halves_by_stride_or_pooling(downsampling, strides):
    head = build("mobilenet_v1", width=0.125, head_downsampling=downsampling).head
    assert head.get_layer("block12").depthwise.conv.strides == (strides, strides)
    assert head(np.zeros([1, 8, 12, 64], np.float32)).shape == (1, 4, 6, 3)


def test_an_unknown_downsampling():
    with pytest.raises(UserError, match="'max'; known: stride, pool"):
        build("mobilenet_v1", head_downsampling="max")
