"""Blocks against slow NumPy: scaling, paddings, statistics, the classifier."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.models import blocks
from bas_tf.models.input_scaling import INPUT_SCALINGS, input_scaling


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixel_scaling_by_hand(dtype):
    """(255 - 127) / 128 = 1, (0 - 100) / 50 = -2, (10 - 10) / 3 = 0."""
    scaling = blocks.PixelScaling(mean=(127.0, 100.0, 10.0), std=(128.0, 50.0, 3.0))
    pixels = np.array([255, 0, 10], dtype).reshape(1, 1, 1, 3)
    scaled = scaling(pixels)
    assert scaled.dtype == tf.float32
    np.testing.assert_allclose(scaled[0, 0, 0], [1.0, -2.0, 0.0], atol=1e-7)


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
    "padding, expected",
    [
        # A row of zeros above, a column at the left: centred on 0, 2, 8 and 10.
        # 0 1 4 5 | 1 2 3 5 6 7 | 4 5 8 9 12 13 | 5 6 7 9 10 11 13 14 15
        ("symmetric", [[10, 24], [51, 90]]),
        # Zeros below and at the right: 0 1 2 4 5 6 8 9 10 is whole, centred on 5.
        # ... | 2 3 6 7 10 11 | 8 9 10 12 13 14 | 10 11 14 15
        ("end", [[45, 39], [66, 50]]),
        ("same", [[45, 39], [66, 50]]),
        ("valid", [[45]]),
    ],
)
def test_where_a_stride_of_two_looks(padding, expected):
    """The sums of 3x3 windows over 0 .. 15 in rows of four."""
    block = blocks.ConvNormActivation(1, 3, 2, padding=padding, epsilon=0.0)
    block.build([None, 4, 4, 1])
    block.conv.kernel.assign(np.ones([3, 3, 1, 1]))
    sums = block(np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1))
    np.testing.assert_array_equal(sums[0, ..., 0], expected)


@pytest.mark.parametrize(
    "sides, expected",
    [
        ((1, 3), [[0 + 1, 0 + 1 + 2, 1 + 2], [3 + 4, 3 + 4 + 5, 4 + 5]]),
        ((3, 1), [[0 + 3, 1 + 4, 2 + 5], [0 + 3, 1 + 4, 2 + 5]]),
    ],
)
def test_strips_are_height_times_width(sides, expected):
    """Sums over 0 1 2 / 3 4 5."""
    block = blocks.ConvNormActivation(1, sides, epsilon=0.0)
    block.build([None, 2, 3, 1])
    block.conv.kernel.assign(np.ones([*sides, 1, 1]))
    sums = block(np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1))
    np.testing.assert_array_equal(sums[0, ..., 0], expected)


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


def test_the_papers_classifier_against_slow_convolutions(rng):
    """Two rectified 3x3 convolutions with zeros around, then the rectified 1x1."""
    paper = blocks.Classifier(5, variant="paper", width=6)
    features = rng.normal(size=[1, 3, 4, 8]).astype(np.float32)
    paper.build(features.shape)
    expected = features[0]
    for variable in paper.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    weights = [v.numpy() for v in paper.trainable_variables]
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        margin = len(kernel) // 2
        expected = np.maximum(convolve(expected, kernel, 1, margin, margin) + bias, 0)
    assert expected.max() > 1
    np.testing.assert_allclose(paper(features)[0], expected, rtol=1e-4, atol=1e-4)


def test_the_separable_classifier_against_slow_convolutions(rng):
    """Twice each channel by its own 3x3, then a rectified 1x1; last the class maps."""
    separable = blocks.Classifier(5, variant="separable", width=6)
    features = rng.normal(size=[1, 3, 4, 8]).astype(np.float32)
    separable.build(features.shape)
    for variable in separable.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    weights = [v.numpy() for v in separable.trainable_variables]
    assert [w.shape for w in weights] == [
        (3, 3, 8, 1), (1, 1, 8, 6), (6,), (3, 3, 6, 1), (1, 1, 6, 6), (6,),
        (1, 1, 6, 5), (5,),
    ]  # fmt: skip
    expected = features[0]
    for depthwise, pointwise, bias in (weights[:3], weights[3:6]):
        channels = [
            convolve(expected[..., [c]], depthwise[:, :, [c]], 1, 1, 1)[..., 0]
            for c in range(expected.shape[-1])
        ]
        expected = np.maximum(np.stack(channels, -1) @ pointwise[0, 0] + bias, 0)
    expected = np.maximum(expected @ weights[6][0, 0] + weights[7], 0)
    assert expected.max() > 1
    np.testing.assert_allclose(separable(features)[0], expected, rtol=1e-4, atol=1e-4)


def test_the_separable_classifiers_parameters():
    """9 C + (C + 1) W, 9 W + (W + 1) W, (W + 1) K of C features, width W, K classes."""
    separable = blocks.Classifier(10, variant="separable", width=1024)
    separable.build([None, 10, 10, 1280])
    first, second = 9 * 1280 + 1281 * 1024, 9 * 1024 + 1025 * 1024
    assert separable.count_params() == first + second + 1025 * 10 == 2_392_330


def test_gradients_reach_every_variable_of_the_separable_classifier(rng):
    separable = blocks.Classifier(5, variant="separable", width=16)
    features = tf.constant(rng.normal(size=[2, 4, 6, 8]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(separable(features) ** 2)
    variables = [v.value for v in separable.trainable_variables]
    for gradient in tape.gradient(loss, [features, *variables]):
        assert np.abs(gradient).max() > 1e-3


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
