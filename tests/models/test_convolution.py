"""Gradients as convolutions, and BatchNorm folded into kernels: the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.models import convolution
from bas_tf.models.blocks import ConvNormActivation


@pytest.fixture
def without_avx512(monkeypatch):
    monkeypatch.setattr(convolution, "has_cpu_instructions", lambda *_: False)


def gradients_of(layer, x, **options):
    """Of a loss that weighs each output differently: by x, then by each variable."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, **options)
        weights = tf.reshape(tf.range(tf.size(outputs)), outputs.shape)
        loss = tf.reduce_sum(outputs * tf.sin(tf.cast(weights, outputs.dtype)))
    return outputs, tape.gradient(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("kernel_size", [3, (1, 7)])
def test_the_input_gradient_by_convolution(
    rng, in_float64, without_avx512, kernel_size
):
    x = tf.constant(rng.normal(size=[2, 8, 9, 3]))
    layer = convolution.Conv2D(4, kernel_size, padding="same")
    _, expected = gradients_of(layer, x)
    convolution.speed_up_gradients(keras.Sequential([layer]))
    assert layer.has_fast_gradient
    _, found = gradients_of(layer, x)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("width", [8, 9])
def test_the_depthwise_kernels_gradient_by_three_columns_at_a_time(
    rng, in_float64, width
):
    """Of an odd width, which has no pairs of columns, as Keras's own."""
    x = tf.constant(rng.normal(size=[2, 7, width, 3]))
    options = {"padding": "same", "use_bias": False}
    layer = convolution.DepthwiseConv2D(5, **options)
    keras_layer = keras.layers.DepthwiseConv2D(5, **options)
    keras_layer.build(x.shape)
    layer.build(x.shape)
    layer.set_weights(keras_layer.get_weights())
    convolution.speed_up_gradients(keras.Sequential([layer]))
    assert layer.has_fast_gradient
    found, gradients = gradients_of(layer, x)
    expected, keras_gradients = gradients_of(keras_layer, x)
    for a, b in zip([expected, *keras_gradients], [found, *gradients], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2},
        {"padding": "valid"},
        {"kernel_size": 2},
        {"kernel_size": 1},
        {"groups": 2},
    ],
)
def test_other_windows_keep_their_gradient(without_avx512, options):
    layer = convolution.Conv2D(4, **({"kernel_size": 3, "padding": "same"} | options))
    convolution.speed_up_gradients(keras.Sequential([layer]))
    assert not layer.has_fast_gradient


@pytest.mark.parametrize("filters, strides", [(5, 1), (5, 2), (None, 1), (None, 2)])
def test_folded_statistics_are_those_of_the_layer(rng, in_float64, filters, strides):
    """Against the convolution and the BatchNorm after one another."""
    layer = ConvNormActivation(filters, 3, strides, activation="relu6")
    x = tf.constant(rng.normal(size=[2, 8, 8, 4]))
    layer(x)
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))

    def one_after_the_other(x):
        padded = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]) if strides > 1 else x
        return layer.activation(layer.norm(layer.conv(padded), training=False))

    one_after_the_other.trainable_variables = layer.trainable_variables
    outputs, expected = gradients_of(one_after_the_other, x)
    folded, found = gradients_of(layer, x, training=False)
    assert 0 < np.mean((outputs > 0) & (outputs < 6)) < 1
    np.testing.assert_allclose(folded, outputs, rtol=1e-10)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)
