"""The step: parts added up, compiled, clipped and on two replicas, against one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.errors import UserError
from bas_tf.training import loop, train_step
from bas_tf.training.optimizer import TorchSGD
from tests.training.narrow import NAME, narrow_localizer

FROZEN = {"alpha": 0.5, "beta": 1.2, "batch_statistics": False,
          "background_wins": "gradient"}  # fmt: skip


def build_narrow(backbone=NAME, **update_options):
    """Without any BatchNorm by batch statistics, so that examples do not mix.

    Of this seed every class activation is positive: S^b / S stays small, and a
    rounding is not magnified from step to step.
    """
    keras.utils.set_random_seed(3)
    localizer = narrow_localizer(backbone=backbone, input_size_wh=(32, 32))
    optimizer = TorchSGD(1e-3, **update_options)
    optimizer.build(localizer.trainable_variables)
    return localizer, optimizer


def make_batches(size: int, count: int = 1) -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [count * size, 32, 32, 3]).astype(np.uint8)
    labels = rng.integers(0, 3, count * size).astype(np.int32)
    present = np.eye(3, dtype=np.uint8)[labels] | np.eye(3, dtype=np.uint8)[labels % 2]
    examples = {names.IMAGES: images, names.LABELS: labels, names.PRESENT: present}
    return tf.data.Dataset.from_tensor_slices(examples).batch(size)


def take_steps(parts, batches, *, distribution=None, bas_active=True, **method):
    """The values of each step."""
    distribution = distribution or tf.distribute.get_strategy()
    step = train_step.make_train_step(
        localizer=parts[0], optimizer=parts[1], strategy=distribution,
        method=train_step.Method(**{**FROZEN, **method}), bas_active=bas_active,
        batch_size=len(next(iter(batches))[names.LABELS]),
    )  # fmt: skip
    return [step(b) for b in distribution.experimental_distribute_dataset(batches)]


def values_of(localizer) -> list[np.ndarray]:
    return [v.numpy() for v in localizer.variables]


def assert_same_change(start, one, other, tolerance):
    """Each variable moved alike: the difference, in norm, against the movement."""
    for before, a, b in zip(start, one, other, strict=True):
        assert np.linalg.norm(b - a) <= tolerance * np.linalg.norm(a - before) + 1e-15


@pytest.mark.slow
def test_four_parts_of_eight_equal_one_batch_of_32(in_float64):
    whole, parts = build_narrow(), build_narrow()
    start = values_of(whole[0])
    seen = take_steps(whole, make_batches(32, 2))
    seen_in_parts = take_steps(parts, make_batches(32, 2), accumulation_steps=4)
    assert_same_change(start, values_of(whole[0]), values_of(parts[0]), 1e-9)
    for a, b in zip(seen, seen_in_parts, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_allclose(b[key], a[key], rtol=1e-9)


@pytest.mark.slow
def test_the_classifiers_steps_add_up_their_parts_too():
    """BatchNorm sees two examples at a time: what one step of each part would move."""
    parts, alone = build_narrow(), build_narrow()
    batches = make_batches(4)
    take_steps(parts, batches, bas_active=False, accumulation_steps=2)
    stem = [v for v in alone[0].backbone.variables if "stem/norm/moving" in v.path]
    for images in np.split(next(iter(batches))[names.IMAGES].numpy(), 2):
        alone[0].backbone(images, training=True)
    moved = [v for v in parts[0].backbone.variables if "stem/norm/moving" in v.path]
    assert len(stem) == 2
    for a, b in zip(stem, moved, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


def test_the_classifiers_steps_take_smaller_images():
    """A step of images of 128 pixels is one of the same images at 64."""
    scaled, plain = build_narrow(), build_narrow()

    def batches(times):
        def enlarged(b):
            images = tf.repeat(tf.repeat(b[names.IMAGES], times, 1), times, 2)
            return {**b, names.IMAGES: images}

        return make_batches(4).map(enlarged)

    options = {"bas_active": False, "classifier_scale": 0.5}
    (seen,) = take_steps(scaled, batches(4), **options)
    (expected,) = take_steps(plain, batches(2), bas_active=False)
    np.testing.assert_allclose(seen[names.LOSS], expected[names.LOSS])
    for a, b in zip(values_of(scaled[0]), values_of(plain[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_batch_that_does_not_divide_into_parts_is_refused():
    with pytest.raises(UserError) as error:
        take_steps(build_narrow(), make_batches(6), accumulation_steps=4)
    assert str(error.value) == (
        "data.batch_size is 6, which does not divide over 1 replicas x "
        "train.accumulation_steps=4"
    )
    with pytest.raises(UserError, match="train.accumulation_steps is 0; 1 or more"):
        train_step.Method(alpha=0.5, beta=1.2, accumulation_steps=0)


@pytest.mark.slow
def test_a_compiled_step_equals_a_plain_one():
    # Not the shallow network, in which float32's rounding decides on some gradients.
    plain, compiled = build_narrow("mobilenet_v1"), build_narrow("mobilenet_v1")
    start = values_of(plain[0])
    seen = take_steps(plain, make_batches(8))
    seen_compiled = take_steps(compiled, make_batches(8), jit_compile=True)
    for key, value in seen[0].items():
        np.testing.assert_allclose(seen_compiled[0][key], value, rtol=1e-5, atol=1e-6)
    assert any(
        (a != b).any() for a, b in zip(start, values_of(compiled[0]), strict=True)
    )
    for a, b in zip(values_of(plain[0]), values_of(compiled[0]), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("classification", losses.CLASSIFICATIONS)
def test_two_replicas_in_two_parts_each_equal_one(in_float64, mirrored, classification):
    """With clipping and averages: the gradient is that of both replicas together."""
    single = build_narrow(clip_norm=0.1, ema=0.9)
    start = values_of(single[0])
    take_steps(single, make_batches(8, 2), classification=classification)
    with mirrored.scope():
        double = build_narrow(clip_norm=0.1, ema=0.9)
    take_steps(
        double, make_batches(8, 2), distribution=mirrored, accumulation_steps=2,
        classification=classification,
    )  # fmt: skip
    assert_same_change(start, values_of(single[0]), values_of(double[0]), 1e-9)
    for a, b in zip(single[1].variables, double[1].variables, strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-9, atol=1e-12)


def test_a_hit_of_several_classes_is_any_of_them(build):
    """The classifier is sure of class 0, which is in every second image."""
    localizer, sgd = build(base_rate=0.0)
    class_maps = localizer.backbone.head.layers[-1].convolutions[-1]
    class_maps.kernel.assign(tf.zeros_like(class_maps.kernel))
    class_maps.bias.assign([9.0, 0.0, 0.0])
    step = train_step.make_train_step(
        localizer=localizer, optimizer=sgd, strategy=tf.distribute.get_strategy(),
        method=train_step.Method(**FROZEN, classification="multilabel"),
        bas_active=False, batch_size=4,
    )  # fmt: skip
    values = step({
        names.IMAGES: tf.zeros([4, 64, 64, 3], tf.uint8),
        names.LABELS: tf.constant([2, 2, 2, 2]),
        names.PRESENT: tf.constant([[1, 0, 1], [0, 0, 1]] * 2, tf.uint8),
    })  # fmt: skip
    assert float(values["accuracy"]) == 0.5
    # Class 2 against 1 alone: log 2; against 0 and 1: log(2 + e^9).
    expected = (np.log(2) + np.log1p(1 + np.exp(9))) / 2 + np.log1p(np.exp(-9)) / 2
    assert float(values[names.CLASSIFICATION_LOSS]) == pytest.approx(expected, rel=1e-5)


def test_several_replicas_are_not_compiled(mirrored):
    with pytest.raises(UserError, match="train.jit_compile is True.*one replica, not"):
        take_steps(
            build_narrow(), make_batches(8), distribution=mirrored, jit_compile=True
        )


@pytest.mark.slow
def test_the_replica_of_a_broken_loss_is_named(mirrored):
    """Examples 4 to 7 of 8 are the second replica's, 6 alone has the broken map.

    Not a broken image: with AVX-512 a fused ReLU makes 0 of it.
    """
    with mirrored.scope():
        parts = build_narrow()
        kernel = parts[0].generator.kernel.numpy()
        kernel[..., 1] = np.nan
        parts[0].generator.kernel.assign(kernel)
    labels = np.eye(8, dtype=np.int32)[6]
    examples = {
        names.IMAGES: np.zeros([8, 32, 32, 3], np.float32),
        names.LABELS: labels,
    }
    batches = tf.data.Dataset.from_tensor_slices(examples).batch(8)
    values = take_steps(parts, batches, distribution=mirrored)[0]
    np.testing.assert_array_equal(values[train_step.BROKEN_REPLICAS], [0, 1])
    with pytest.raises(
        loop.TrainingDivergedError,
        match=r"step 5: loss, .*area.* is not finite \(replica 1 of 2, from 0\)",
    ):
        loop.finite_values(values, 5, 2)


@pytest.mark.slow
def test_photos_without_an_object_train_the_classifier_and_the_area_alone():
    """All of class 2; the same weights without such a class have all four terms."""
    batches = make_batches(4).map(
        lambda batch: {**batch, names.LABELS: 2 * tf.ones_like(batch[names.LABELS])}
    )
    (plain,), (empty,) = (
        take_steps(build_narrow(), batches, **method)
        for method in ({}, {"no_object": 2})
    )
    kept = (names.CLASSIFICATION_LOSS, names.AREA_CONSTRAINT_LOSS)
    for key in train_step.Method(**FROZEN).terms:
        assert plain[key] != 0
        assert empty[key] == (plain[key] if key in kept else 0), key
    expected = empty[kept[0]] + FROZEN["beta"] * empty[kept[1]]
    np.testing.assert_allclose(empty[names.LOSS], expected, rtol=1e-6)
