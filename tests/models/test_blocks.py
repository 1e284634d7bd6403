"""Blocks against slow NumPy: scaling, torch's padding, the classifier's variants."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.models import blocks


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixel_scaling_by_hand(dtype):
    """(255 - 127) / 128 = 1, (0 - 100) / 50 = -2, (10 - 10) / 3 = 0."""
    scaling = blocks.PixelScaling(mean=(127.0, 100.0, 10.0), std=(128.0, 50.0, 3.0))
    pixels = np.array([255, 0, 10], dtype).reshape(1, 1, 1, 3)
    scaled = scaling(pixels)
    assert scaled.dtype == tf.float32
    np.testing.assert_allclose(scaled[0, 0, 0], [1.0, -2.0, 0.0], atol=1e-7)


def convolve(image, kernel, strides, before, after):
    """Slow convolution of [h, w, c] with zeros around: [h', w', filters]."""
    padded = np.pad(image, [(before, after), (before, after), (0, 0)])
    side = len(kernel)
    rows = (padded.shape[0] - side) // strides + 1
    columns = (padded.shape[1] - side) // strides + 1
    result = np.zeros([rows, columns, kernel.shape[3]])
    for y in range(rows):
        for x in range(columns):
            top, left = y * strides, x * strides
            window = padded[top : top + side, left : left + side]
            result[y, x] = np.einsum("ijc,ijck->k", window, kernel)
    return result


def as_full_kernel(kernel):
    """A depthwise [h, w, c, 1] kernel as the full one that does the same."""
    return np.einsum("ijco,ck->ijck", kernel, np.eye(kernel.shape[2]))


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize(
    "filters, side, strides, padding, before, after",
    [
        (4, 3, 2, "symmetric", 1, 1),
        (None, 3, 2, "symmetric", 1, 1),
        (None, 5, 2, "symmetric", 2, 2),
        (4, 3, 1, "symmetric", 1, 1),
        (None, 3, 2, "same", None, 1),  # SAME: one less before an even image
        (4, 1, 1, "same", 0, 0),
        (None, 6, 1, "same", 2, 3),
    ],
)
def test_a_block_equals_a_slow_convolution(
    rng, size, filters, side, strides, padding, before, after
):
    """Fresh BatchNorm divides by sqrt(1 + epsilon); gamma 1, beta 0."""
    if before is None:
        before = 0 if size % 2 == 0 else 1
    block = blocks.ConvNormActivation(filters, side, strides, padding=padding)
    image = rng.normal(size=[size, size, 3]).astype(np.float32)
    actual = block(image[np.newaxis])
    kernel = block.conv.kernel.numpy()
    if filters is None:
        kernel = as_full_kernel(kernel)
    expected = convolve(image, kernel, strides, before, after)
    expected = np.maximum(expected / np.sqrt(1 + blocks.BATCH_NORM_EPSILON), 0)
    assert actual.shape == (1, *expected.shape)
    assert actual.shape == block.compute_output_shape((1, size, size, 3))
    np.testing.assert_allclose(actual[0], expected, atol=1e-5)


def test_training_uses_the_batch_and_moves_the_statistics(rng):
    """Momentum 0.9: the moving mean goes a tenth of the way to the batch's."""
    block = blocks.ConvNormActivation(2, 1, activation=None)
    images = rng.normal(3, 2, size=[4, 5, 5, 3]).astype(np.float32)
    normalised = block(images, training=True).numpy()
    np.testing.assert_allclose(normalised.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=(0, 1, 2)), 1, atol=1e-3)
    mean = np.einsum("bhwc,ck->k", images, block.conv.kernel.numpy()[0, 0]) / 100
    np.testing.assert_allclose(block.norm.moving_mean, 0.1 * mean, rtol=1e-4)


def test_relu6_stops_at_six():
    block = blocks.ConvNormActivation(1, 1, activation="relu6")
    block.build([None, 1, 3, 1])
    block.conv.kernel.assign([[[[1.0]]]])
    values = block(np.array([-1, 3, 9], np.float32).reshape(1, 1, 3, 1))
    np.testing.assert_allclose(np.ravel(values), [0, 3, 6], rtol=1e-5)


def test_classifier_variants(rng):
    features = rng.normal(size=[2, 4, 6, 8]).astype(np.float32)
    paper = blocks.Classifier(5, variant="paper", width=16)
    linear = blocks.Classifier(5, variant="linear", width=16)
    assert paper(features).shape == linear(features).shape == (2, 4, 6, 5)
    assert [tuple(v.shape) for v in paper.trainable_variables] == [
        (3, 3, 8, 16), (16,), (3, 3, 16, 16), (16,), (1, 1, 16, 5), (5,),
    ]  # fmt: skip
    assert [tuple(v.shape) for v in linear.trainable_variables] == [(1, 1, 8, 5), (5,)]
    kernel, bias = (v.numpy() for v in linear.trainable_variables)
    np.testing.assert_allclose(
        linear(features), np.maximum(features @ kernel[0, 0] + bias, 0), atol=1e-5
    )


def test_without_the_final_relu_class_maps_go_below_zero(rng):
    features = rng.normal(size=[2, 4, 4, 8]).astype(np.float32)
    with_relu = blocks.Classifier(5, variant="linear")
    without = blocks.Classifier(5, variant="linear", final_relu=False)
    with_relu.build(features.shape)
    without.build(features.shape)
    without.set_weights(with_relu.get_weights())
    assert np.min(without(features)) < 0
    np.testing.assert_allclose(
        with_relu(features), np.maximum(without(features), 0), atol=1e-6
    )


def test_an_unknown_classifier():
    with pytest.raises(UserError, match="'deep'; known: paper, linear"):
        blocks.Classifier(5, variant="deep")
