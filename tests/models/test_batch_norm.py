"""Batch normalisation: torch's statistics, gradients, precisions, replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.models import batch_norm
from bas_tf.ops import frozen
from bas_tf.training import strategy


def test_batch_norm_normalises_by_the_biased_variance_and_keeps_the_unbiased():
    """0 2 4 6: mean 3, variance (9 + 1 + 1 + 9) / 4 = 5, unbiased 20 / 3.

    Momentum 0.1 in torch's count: mean 0.9 * 0 + 0.1 * 3, variance 0.9 * 1 + 0.1 *
    20 / 3. The evaluation normalises by these and moves nothing.
    """
    norm = batch_norm.BatchNormalization(momentum=0.9, epsilon=1e-5)
    values = np.array([0, 2, 4, 6], np.float32).reshape(2, 1, 2, 1)
    norm.build(values.shape)
    norm.gamma.assign([2.0])
    norm.beta.assign([0.5])
    in_training = np.ravel(norm(values, training=True))
    expected = 2 * np.array([-3, -1, 1, 3]) / np.sqrt(5 + 1e-5) + 0.5
    np.testing.assert_allclose(in_training, expected, rtol=1e-6)
    np.testing.assert_allclose(norm.moving_mean, [0.3], rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, [0.9 + 2 / 3], rtol=1e-6)
    evaluated = np.ravel(norm(values, training=False))
    expected = 2 * (np.ravel(values) - 0.3) / np.sqrt(0.9 + 2 / 3 + 1e-5) + 0.5
    np.testing.assert_allclose(evaluated, expected, rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, [0.9 + 2 / 3], rtol=1e-6)


def test_batch_norm_of_one_value_a_channel_stays_finite():
    """n - 1 = 0 does not divide: the moving variance goes towards 0."""
    norm = batch_norm.BatchNormalization(momentum=0.9, epsilon=1e-5)
    assert norm(np.full([1, 1, 1, 1], 7, np.float32), training=True) == 0
    np.testing.assert_allclose(norm.moving_variance, [0.9], rtol=1e-6)


def by_the_batch_plainly(x, gamma, beta, epsilon):
    """What TensorFlow's own operations give, and differentiate themselves."""
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def test_the_written_gradients_equal_the_derived_ones(rng):
    values, weights = (tf.constant(rng.normal(2, 3, [2, 4, 5, 3])) for _ in range(2))
    gamma, beta = tf.constant([0.5, -2.0, 3.0], tf.float64), tf.zeros(3, tf.float64)
    inputs, results = (values, gamma, beta), []
    for normalize in (
        lambda *args: batch_norm.normalize_by_batch(*args, epsilon=0.1)[0],
        lambda *args: by_the_batch_plainly(*args, 0.1),
    ):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            normalized = normalize(*inputs)
            loss = tf.reduce_sum(weights * normalized + normalized**3)
        results.append([normalized, *tape.gradient(loss, inputs)])
    for written, derived in zip(*results, strict=True):
        np.testing.assert_allclose(written, derived, rtol=1e-10, atol=1e-10)


def test_the_sums_of_large_maps_are_accurate(rng):
    """One running sum over so many values would be 1e-5 off, as the fused one is."""
    values = tf.constant(rng.normal(5, 1, [8, 112, 112, 2]), tf.float32)
    _, mean, variance = batch_norm.normalize_by_batch(
        values, tf.ones(2), tf.zeros(2), epsilon=0.0
    )
    exact = values.numpy().astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=3e-7)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=3e-7)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_is_float32_rounded(rng, dtype, training):
    values = tf.cast(rng.normal(1, 2, [4, 6, 6, 3]), dtype.removeprefix("mixed_"))
    exact = batch_norm.BatchNormalization(momentum=0.9)
    half = batch_norm.BatchNormalization(momentum=0.9, dtype=dtype)
    found = []
    for norm, inputs in ((half, values), (exact, tf.cast(values, tf.float32))):
        norm.build(values.shape)
        norm.gamma.assign([0.5, 1.0, 2.0])
        norm.moving_mean.assign([0.5, 1.0, 1.5])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = norm(inputs, training=training)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 3)
        gradient = tf.cast(tape.gradient(loss, inputs), tf.float32)
        found.append([tf.cast(y, tf.float32), gradient])
        found[-1] += [norm.moving_mean, norm.moving_variance]
        assert y.dtype == norm.compute_dtype
    off = 2.0 ** (-8 if "bfloat16" in dtype else -11)  # half of a last place
    for rounded, expected in zip(*found, strict=True):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(rounded, expected, atol=4 * off * largest, rtol=0)


def shared_out(distribution, tensor):
    """A value whose replicas have equal parts of the tensor."""
    parts = np.split(tensor, distribution.num_replicas_in_sync)
    return distribution.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )


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

    if distribution.num_replicas_in_sync == 1:
        return [np.asarray(v) for v in step(tf.constant(values), tf.constant(weights))]
    shares = shared_out(distribution, values), shared_out(distribution, weights)
    results = tf.function(distribution.run)(step, shares)
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
            norm = batch_norm.BatchNormalization(momentum=0.9, dtype=dtype)
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
        norm = batch_norm.BatchNormalization(momentum=0.9, epsilon=0.0)
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
        norm = batch_norm.BatchNormalization(momentum=0.9, epsilon=0.0)
        norm.build((2, 2, 1, 1))
    norm.synchronized = True
    values = np.float32([0, 2, 4, 6]).reshape(4, 1, 1, 1)  # mean 3, variance 5
    shares = shared_out(mirrored, values)

    def step(x):
        return frozen.call_frozen(norm, x, training=True)

    results = tf.function(mirrored.run)(step, (shares,))
    y = np.concatenate(mirrored.experimental_local_results(results)).ravel()
    np.testing.assert_allclose(y, np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_array_equal(norm.moving_mean, [0])
    np.testing.assert_array_equal(norm.moving_variance, [1])


def test_asked_to_synchronize_one_replica_stays_as_it_is():
    """Keras's own layer would take other formulas, and other last bits."""
    norm = batch_norm.BatchNormalization()
    model = keras.Sequential([norm])
    batch_norm.synchronize_batch_norm(model)
    assert not norm.synchronized
    with strategy.make_strategy("mirrored").scope():
        batch_norm.synchronize_batch_norm(model)
    assert norm.synchronized
