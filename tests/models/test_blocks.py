"""Blocks against slow NumPy: scaling, paddings, statistics, the classifier."""

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models import blocks
from bas_tf.models.input_scaling import INPUT_SCALINGS, input_scaling


@pytest.mark.parametrize(
    "name, pixel, expected",
    [
        # ImageNet's mean and std, .485 and .229 of red and so on, times 255.
        ("torch", (255, 0, 103.53), ((1 - 0.485) / 0.229, -0.456 / 0.224, 0.0)),
        ("keras", (255, 127.5, 0), (1.0, 0.0, -1.0)),
        ("caffe", (123.68, 255, 0), (0.0, 255 - 116.779, -103.939)),
        ("lite", (255, 127, 0), (1.0, 0.0, -127 / 128)),
        ("none", (255, 1.5, -2), (255.0, 1.5, -2.0)),
    ],
)
def test_the_named_scalings(name, pixel, expected):
    scaling = blocks.PixelScaling(**input_scaling(name))
    scaled = scaling(np.array(pixel, np.float32).reshape(1, 1, 1, 3))
    np.testing.assert_allclose(scaled[0, 0, 0], expected, rtol=1e-5, atol=1e-6)


def test_an_unknown_scaling():
    known = ", ".join(INPUT_SCALINGS)
    with pytest.raises(UserError, match=f"'tf'; known: {known}"):
        input_scaling("tf")


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
        (4, 3, 2, "end", 0, 1),
        (None, 3, 2, "end", 0, 1),
        (None, 3, 1, "end", 1, 1),
        (4, 3, 1, "valid", 0, 0),
        (4, 3, 2, "valid", 0, 0),
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


@pytest.mark.parametrize(
    "strides, margins, last",
    [
        # Last row or column of each window over 6: ResNet's and Inception's head.
        (2, (1, 1), [1, 3, 5]),
        (1, (1, 1), [1, 2, 3, 4, 5, 5]),  # Mixed_6a
        # Inception's stem: ceil((6 + 2 - 3) / 2) + 1 = 4 windows; the last sees only
        # the last row and zeros.
        (2, (1, 2), [1, 3, 5, 5]),
    ],
)
def test_padded_pooling(strides, margins, last):
    """0 .. 35 in rows of six: the largest of a window is its lower right pixel."""
    pool = blocks.PaddedMaxPooling(3, strides, margins)
    image = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1)
    last = np.array(last)
    expected = 6 * last[:, np.newaxis] + last
    np.testing.assert_array_equal(pool(image)[0, ..., 0], expected)
    assert pool.compute_output_shape(image.shape) == (1, len(last), len(last), 1)


def test_relu6_stops_at_six():
    block = blocks.ConvNormActivation(1, 1, activation="relu6")
    block.build([None, 1, 3, 1])
    block.conv.kernel.assign([[[[1.0]]]])
    values = block(np.array([-1, 3, 9], np.float32).reshape(1, 1, 3, 1))
    np.testing.assert_allclose(np.ravel(values), [0, 3, 6], rtol=1e-5)


@pytest.mark.parametrize("final_relu", [True, False])
def test_the_class_map_of_one_class_an_example(rng, final_relu):
    features = rng.normal(size=[3, 4, 6, 8]).astype(np.float32)
    classifier = blocks.Classifier(5, variant="linear", final_relu=final_relu)
    classifier(features)
    classifier.convolutions[-1].bias.assign([0.1, -0.2, 0.3, -0.4, 0.5])
    every = classifier(features).numpy()
    one = classifier(features, class_ids=np.array([4, 0, 4]))
    expected = every[np.arange(3), :, :, [4, 0, 4]][..., np.newaxis]
    np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "variant, count", [("paper", 3), ("linear", 1), ("separable", 5)]
)
def test_a_classifier_against_slow_convolutions(rng, variant, count):
    """Rectified, with zeros around; a depthwise one has neither bias nor ReLU."""
    classifier = blocks.Classifier(5, variant=variant, width=6)
    features = rng.normal(size=[1, 3, 4, 8]).astype(np.float32)
    classifier.build(features.shape)
    for variable in classifier.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    expected = features[0]
    for layer in classifier.convolutions:
        kernel = layer.kernel.numpy()
        margin = len(kernel) // 2
        if layer.use_bias:
            expected = convolve(expected, kernel, 1, margin, margin)
            expected = np.maximum(expected + layer.bias.numpy(), 0)
        else:
            expected = convolve(expected, as_full_kernel(kernel), 1, margin, margin)
    assert expected.max() > 1
    assert len(classifier.convolutions) == count
    np.testing.assert_allclose(classifier(features)[0], expected, rtol=1e-4, atol=1e-4)


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
    with pytest.raises(UserError, match="'deep'; known: paper, linear, separable"):
        blocks.Classifier(5, variant="deep")
