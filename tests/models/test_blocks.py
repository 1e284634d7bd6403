"""Blocks against slow NumPy: scaling, paddings, statistics, the classifier."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.models import blocks
from bas_tf.models.input_scaling import INPUT_SCALINGS, input_scaling
from bas_tf.ops import frozen
from bas_tf.training import strategy


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


def test_batch_norm_normalises_by_the_biased_variance_and_keeps_the_unbiased():
    """0 2 4 6: mean 3, variance (9 + 1 + 1 + 9) / 4 = 5, unbiased 20 / 3.

    Momentum 0.1 in torch's count: mean 0.9 * 0 + 0.1 * 3, variance 0.9 * 1 + 0.1 *
    20 / 3. The evaluation normalises by these and moves nothing.
    """
    norm = blocks.ConvNormActivation(1, 1).norm
    values = np.array([0, 2, 4, 6], np.float32).reshape(2, 1, 2, 1)
    norm.build(values.shape)
    norm.gamma.assign([2.0])
    norm.beta.assign([0.5])
    in_training = np.ravel(norm(values, training=True))
    expected = 2 * np.array([-3, -1, 1, 3]) / np.sqrt(5 + 1e-5) + 0.5
    np.testing.assert_allclose(in_training, expected, rtol=1e-6)
    np.testing.assert_allclose(norm.moving_mean, [0.3], rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, [0.9 + 2 / 3], rtol=1e-6)
    judged = np.ravel(norm(values, training=False))
    expected = 2 * (np.ravel(values) - 0.3) / np.sqrt(0.9 + 2 / 3 + 1e-5) + 0.5
    np.testing.assert_allclose(judged, expected, rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, [0.9 + 2 / 3], rtol=1e-6)


def test_batch_norm_of_one_value_a_channel_stays_finite():
    """n - 1 = 0 does not divide: the moving variance goes towards 0."""
    norm = blocks.BatchNormalization(momentum=0.9, epsilon=1e-5)
    assert norm(np.full([1, 1, 1, 1], 7, np.float32), training=True) == 0
    np.testing.assert_allclose(norm.moving_variance, [0.9], rtol=1e-6)


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


def normalise(distribution, norm, values, weights):
    """Outputs of two replicas' halves, gradients of sum(weights * outputs).

    A squared term makes the gradient depend on every other value of the batch.
    """

    def step(x, w):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = norm(x, training=True)
            loss = tf.reduce_sum(w * y + y**3)
        of_x, of_gamma = tape.gradient(loss, [x, norm.gamma.value])
        total = tf.distribute.get_replica_context().all_reduce("SUM", of_gamma)
        return y, of_x, total

    def share(tensor):
        replicas = distribution.num_replicas_in_sync
        parts = np.split(tensor, replicas)
        return distribution.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    if distribution.num_replicas_in_sync == 1:
        return [np.asarray(v) for v in step(tf.constant(values), tf.constant(weights))]
    results = tf.function(distribution.run)(step, (share(values), share(weights)))
    y, of_x, of_gamma = (distribution.experimental_local_results(v) for v in results)
    return [np.concatenate(y), np.concatenate(of_x), of_gamma[0].numpy()]


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-5)])
def test_synchronized_batch_norm_equals_one_replica(rng, dtype, tolerance):
    """Values and gradients, through the all-reduces of both moments."""
    values = rng.normal(3, 2, [4, 3, 3, 2]).astype(dtype)
    weights = rng.normal(size=values.shape).astype(dtype)
    found = []
    for kind in ("default", "mirrored"):
        distribution = strategy.make_strategy(kind)
        with distribution.scope():
            norm = blocks.BatchNormalization(momentum=0.9, dtype=dtype)
            norm.build(values.shape)
        norm.synchronized = kind == "mirrored"
        found.append(normalise(distribution, norm, values, weights))
        found[-1] += [norm.moving_mean.numpy(), norm.moving_variance.numpy()]
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance)


def test_unsynchronized_moving_statistics_are_the_replicas_mean():
    """0 2 | 4 10: means 1 and 7, unbiased variances 2 and 18; momentum 0.9.

    Mean 0.9 * 0 + 0.1 * (1 + 7) / 2, variance 0.9 * 1 + 0.1 * (2 + 18) / 2.
    """
    mirrored = strategy.make_strategy("mirrored")
    with mirrored.scope():
        norm = blocks.BatchNormalization(momentum=0.9, epsilon=0.0)
        norm.build((2, 2, 1, 1))
    values = np.array([0, 2, 4, 10], np.float32).reshape(4, 1, 1, 1)
    y, _, _ = normalise(mirrored, norm, values, np.zeros_like(values))
    np.testing.assert_allclose(np.ravel(y), [-1, 1, -1, 1], rtol=1e-6)
    for replica in mirrored.experimental_local_results(norm.moving_mean.value):
        np.testing.assert_allclose(replica, [0.4], rtol=1e-6)
    for replica in mirrored.experimental_local_results(norm.moving_variance.value):
        np.testing.assert_allclose(replica, [1.9], rtol=1e-6)


def test_a_frozen_pass_is_synchronized_and_moves_nothing(rng):
    mirrored = strategy.make_strategy("mirrored")
    with mirrored.scope():
        norm = blocks.BatchNormalization(momentum=0.9, epsilon=0.0)
        norm.build((2, 2, 1, 1))
    norm.synchronized = True
    parts = [np.float32([0, 2]), np.float32([4, 6])]  # mean 3, variance 5
    shares = mirrored.experimental_distribute_values_from_function(
        lambda context: tf.reshape(
            parts[context.replica_id_in_sync_group], [2, 1, 1, 1]
        )
    )

    def step(x):
        return frozen.call_frozen(norm, x, training=True)

    results = tf.function(mirrored.run)(step, (shares,))
    y = np.concatenate(mirrored.experimental_local_results(results)).ravel()
    np.testing.assert_allclose(y, np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_array_equal(norm.moving_mean, [0])
    np.testing.assert_array_equal(norm.moving_variance, [1])


def test_asked_to_synchronize_one_replica_stays_as_it_is():
    """Keras's own layer would take other formulas, and other last bits."""
    norm = blocks.ReplicatedBatchNormalization()
    model = keras.Sequential([norm])
    blocks.synchronize_batch_norm(model)
    assert not norm.synchronized
    with strategy.make_strategy("mirrored").scope():
        blocks.synchronize_batch_norm(model)
    assert norm.synchronized
