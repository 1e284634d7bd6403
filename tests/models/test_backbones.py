"""Shapes and strides of every backbone at several sizes."""

import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models import backbones
from tests.lively import enliven


def build(name, **options):
    keras.utils.set_random_seed(0)
    return backbones.BACKBONES[name](
        num_classes=3, classifier={"variant": "linear"}, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, channels",
    [
        ("mobilenet_v1", {}, 512),
        ("mobilenet_v1", {"width": 0.25}, 128),  # 512 / 4
        ("mobilenet_v1", {"width": 0.25, "head_downsampling": "pool"}, 128),
        ("efficientnet_lite0", {}, 1152),
    ],
)
def test_trunk_at_stride_8_and_head_at_stride_16(name, options, channels, rng):
    backbone = build(name, **options)
    for height, width in ((64, 64), (96, 160), (224, 224)):
        images = rng.integers(0, 256, [1, height, width, 3]).astype(np.uint8)
        backbone(images)
        features, class_maps = enliven(backbone)(images)
        assert features.shape == (1, height // 8, width // 8, channels)
        assert class_maps.shape == (1, height // 16, width // 16, 3)
        np.testing.assert_array_equal(features, backbone.trunk(images))
        np.testing.assert_array_equal(class_maps, backbone.head(features))
        assert np.max(class_maps) > 0


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_features_end_in_a_relu(name, rng):
    """Hiding multiplies by zero, which means nothing only behind a ReLU."""
    images = rng.uniform(0, 255, [2, 64, 64, 3]).astype(np.float32)
    features = np.asarray(build(name).trunk(images))
    assert features.min() == 0
    assert features.max() > 0


def test_mobilenets_width_scales_every_channel_but_keeps_eight():
    backbone = build("mobilenet_v1", width=0.125)
    filters = [
        layer.pointwise.conv.filters
        for layer in (*backbone.trunk.layers[2:], *backbone.head.layers[:-1])
    ]
    # 64 128 128 256 256 512 x 6 1024 x 2, each an eighth of it.
    assert filters == [8, 16, 16, 32, 32, *[64] * 6, 128, 128]
    assert backbone.trunk.get_layer("stem").conv.filters == 8  # 4 would be too few


def test_mobilenets_trunk_has_the_papers_strides():
    """The stem and blocks 2 and 4 halve; block 6's stride is removed."""
    trunk = build("mobilenet_v1", width=0.125).trunk
    strides = [layer.depthwise.conv.strides[0] for layer in trunk.layers[2:]]
    assert strides == [1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1]
    assert trunk.get_layer("stem").conv.strides == (2, 2)


@pytest.mark.parametrize("downsampling, strides", [("stride", 2), ("pool", 1)])
def test_mobilenets_head_halves_by_stride_or_pooling(downsampling, strides):
    head = build("mobilenet_v1", width=0.125, head_downsampling=downsampling).head
    assert head.get_layer("block12").depthwise.conv.strides == (strides, strides)
    assert head(np.zeros([1, 8, 12, 64], np.float32)).shape == (1, 4, 6, 3)


def test_an_unknown_downsampling():
    with pytest.raises(UserError, match="'max'; known: stride, pool"):
        build("mobilenet_v1", head_downsampling="max")
