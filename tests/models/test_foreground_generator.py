"""The class-selective maps are the full convolution's channels."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.models.foreground_generator import ForegroundGenerator


def make_generator(normalize_input, rng, channels=6, classes=7, **options):
    generator = ForegroundGenerator(classes, normalize_input=normalize_input, **options)
    generator.build([None, None, None, channels])
    generator.kernel.assign(rng.normal(size=generator.kernel.shape))
    generator.bias.assign(rng.normal(size=generator.bias.shape))
    return generator


@pytest.mark.parametrize("normalize_input", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("map_outputs", ["sigmoid", "softmax"])
def test_selected_maps_equal_the_full_convolution(
    rng, normalize_input, training, map_outputs
):
    generator = make_generator(normalize_input, rng, map_outputs=map_outputs)
    features = tf.constant(rng.normal(size=[2, 5, 4, 6]), tf.float32)
    class_ids = tf.constant([[3, 0], [6, 6]])
    every = generator(features, training=training)
    some = generator(features, class_ids, training=training)
    expected = tf.gather(every, class_ids, axis=3, batch_dims=1)
    assert some.shape == (2, 5, 4, 2)
    np.testing.assert_allclose(some, expected, atol=2e-6)


def test_selected_maps_have_the_full_convolutions_gradients(rng):
    generator = make_generator(False, rng)
    features = tf.constant(rng.normal(size=[2, 5, 4, 6]), tf.float32)
    labels = tf.constant([4, 1])
    weights = tf.constant(rng.normal(size=[2, 5, 4]), tf.float32)

    def gradients(select):
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_sum(weights * select())
        sources = [features, generator.kernel.value, generator.bias.value]
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, sources)]

    full = gradients(
        lambda: tf.gather(generator(features), labels, axis=3, batch_dims=1)
    )
    selected = gradients(lambda: generator(features, labels[:, tf.newaxis])[..., 0])
    for a, b in zip(full, selected, strict=True):
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_softmax_maps_leave_background_the_rest_and_of_one_class_are_a_sigmoid(rng):
    generator = make_generator(True, rng, map_outputs="softmax")
    features = tf.constant(rng.normal(size=[2, 5, 4, 6]), tf.float32)
    logits = generator.logits(features).numpy().astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    maps = generator(features).numpy()
    np.testing.assert_allclose(maps, shares[..., :7], rtol=1e-5)
    np.testing.assert_allclose(1 - maps.sum(axis=-1), shares[..., 7], atol=1e-6)
    one = make_generator(True, rng, classes=1)
    with_background = make_generator(True, rng, classes=1, map_outputs="softmax")
    for ours, theirs in ((with_background.kernel, one.kernel), (
        with_background.bias, one.bias,
    )):  # fmt: skip
        ours.assign(np.concatenate([theirs.numpy(), 0 * theirs.numpy()], axis=-1))
    np.testing.assert_allclose(with_background(features), one(features), rtol=1e-5)


def test_full_convolution_equals_a_slow_numpy_one(rng):
    generator = make_generator(False, rng, channels=2, classes=3)
    features = rng.normal(size=[1, 3, 3, 2]).astype(np.float32)
    kernel, bias = generator.kernel.numpy(), generator.bias.numpy()
    padded = np.pad(features, [(0, 0), (1, 1), (1, 1), (0, 0)])
    for y in range(3):
        for x in range(3):
            window = padded[0, y : y + 3, x : x + 3]
            logit = np.einsum("ijc,ijck->k", window, kernel) + bias
            expected = 1 / (1 + np.exp(-logit))
            np.testing.assert_allclose(
                generator(features)[0, y, x], expected, rtol=1e-5
            )
