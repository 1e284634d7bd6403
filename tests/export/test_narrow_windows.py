"""Wide depthwise windows in parts: the same numbers, and none wide in a file."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.export.artifacts import signatures
from bas_tf.export.artifacts.narrow_windows import MOST_TAPS, narrow_windows
from bas_tf.export.litert import conversion, operators
from bas_tf.models.blocks import ConvNormActivation
from bas_tf.models.localizer import build_localizer

IMAGES = np.random.default_rng(0).integers(0, 256, [4, 64, 64, 3], np.uint8)


def block(kernel_size, **options):
    """A depthwise block whose BatchNorm has its own statistics, and its model."""
    keras.utils.set_random_seed(0)
    layer = ConvNormActivation(None, kernel_size, activation="relu6", **options)
    model = keras.Sequential([layer])
    model.build([None, 9, 11, 5])
    rng = np.random.default_rng(0)
    for variable in layer.norm.variables:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    return model, layer


@pytest.mark.parametrize("kernel_size", [6, 7, 8, (9, 3), (3, 9), (2, 13), (13, 2)])
def test_the_sum_of_the_parts_is_the_layer(kernel_size):
    model, layer = block(kernel_size, padding="same")
    x = tf.random.stateless_normal([2, 9, 11, 5], [0, 0])
    expected = model(x)
    with narrow_windows(model):
        seen = tf.function(model).get_concrete_function(x)
        np.testing.assert_allclose(seen(x), expected, atol=1e-5)
    kernels = [
        node.outputs[0].shape
        for node in seen.graph.get_operations()
        if node.type == "StridedSlice" and node.outputs[0].shape.rank == 4
        and node.outputs[0].shape[3] == 1
    ]  # fmt: skip
    assert sum(shape[0] for shape in kernels) == layer.conv.kernel_size[0]
    assert all(shape[0] * shape[1] <= MOST_TAPS for shape in kernels)
    np.testing.assert_array_equal(model(x), expected)  # the layer's own call again


@pytest.mark.parametrize(
    "options", [{"kernel_size": 5}, {"kernel_size": 6, "strides": 2}]
)
def test_other_layers_are_left_alone(options):
    model, layer = block(padding="same", **options)
    with narrow_windows(model):
        assert "call" not in vars(layer)


def test_an_error_while_tracing_leaves_the_layers_as_they_were():
    model, layer = block(6, padding="same")
    with pytest.raises(RuntimeError), narrow_windows(model):
        raise RuntimeError
    assert "call" not in vars(layer)


@pytest.mark.slow
def test_no_window_of_a_file_is_wide_and_the_answer_is_the_networks():
    keras.utils.set_random_seed(0)
    localizer = build_localizer(
        backbone="efficientnet_lite0", num_classes=3, input_size_wh=(64, 64),
        classifier={"variant": "linear"},
    )  # fmt: skip
    served = signatures.ServedLocalizer(
        localizer, input_size_wh=(64, 64), score_threshold=0.5
    )
    (content,) = conversion.convert_localizer(served, ["none"], IMAGES).values()
    taps = [
        np.prod(operator.inputs[1].shape[1:3])
        for operator in operators.read_operators(content)[0]
        if operator.kind == "DEPTHWISE_CONV_2D"
    ]
    assert len(taps) == 17  # one of the sixteen is two
    assert max(taps) <= MOST_TAPS
    features = served.edge_layers()(served.edge_pixels()(IMAGES[:1])[signatures.SCALED])
    expected, _ = localizer.backbone(IMAGES[:1].astype(np.float32))
    np.testing.assert_allclose(features["features"], expected, atol=1e-4)
