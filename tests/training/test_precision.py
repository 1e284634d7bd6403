"""Mixed precision: what stays float32, the loss scale, skipped steps, and a run."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.configs import demo
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, training
from bas_tf.models.bas_terms import bas_terms
from bas_tf.ops import precision as precisions
from bas_tf.ops.precision import layers_computing_in
from bas_tf.training import checkpoint, train_step
from bas_tf.training.optimizer import TorchSGD
from tests.training.narrow import narrow_localizer

# A scale at which no gradient of these fresh networks comes near float16's largest.
CALM = 2.0**-6

HALVES = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


def build_in(precision: str, *, seed=0, l2=5e-4, **changes):
    keras.utils.set_random_seed(seed)
    with layers_computing_in(precision):
        localizer = narrow_localizer(**changes)
    scaled = precision == "mixed_float16"
    optimizer = TorchSGD(1e-5, l2=l2, scale_losses=scaled, ema=0.9)
    optimizer.build(localizer.trainable_variables)
    return localizer, optimizer


def make_batch(rng) -> dict[str, tf.Tensor]:
    images = rng.integers(0, 256, [8, 64, 64, 3]).astype(np.uint8)
    labels = np.arange(8, dtype=np.int32) % 3
    return {names.IMAGES: tf.constant(images), names.LABELS: tf.constant(labels)}


def make_step(localizer, optimizer, *, batch_statistics=True):
    return train_step.make_train_step(
        localizer=localizer, optimizer=optimizer,
        strategy=tf.distribute.get_strategy(), bas_active=True, batch_size=8,
        method=train_step.Method(
            alpha=0.5, beta=1.2, background_wins="gradient",
            batch_statistics=batch_statistics,
        ),
    )  # fmt: skip


def values_of(*owners) -> dict[str, np.ndarray]:
    return {v.path: v.numpy() for owner in owners for v in owner.variables}


@pytest.mark.parametrize(("precision", "half"), HALVES.items())
def test_layers_are_half_and_weights_maps_and_losses_are_float32(rng, precision, half):
    localizer, _ = build_in(precision)
    assert {v.dtype for v in localizer.variables} == {"float32"}
    batch = make_batch(rng)
    terms = bas_terms(
        localizer, batch[names.IMAGES], batch[names.LABELS], background_wins="zero"
    )
    assert {term.dtype for term in terms.values()} == {tf.float32}
    outputs = localizer(batch[names.IMAGES])
    assert outputs[names.FEATURES].dtype == outputs[names.CLASS_MAPS].dtype == half
    for key in (names.LOGITS, names.LOCALIZATION_MAP, names.CAM):
        assert outputs[key].dtype == tf.float32, key


def test_the_policy_is_left_as_it_was_and_an_unknown_one_refused():
    before = keras.config.dtype_policy()
    with pytest.raises(ZeroDivisionError), layers_computing_in("mixed_bfloat16"):
        raise ZeroDivisionError
    assert keras.config.dtype_policy() == before
    known = "known: float32, mixed_bfloat16, mixed_float16"
    with (
        pytest.raises(UserError, match=f"train.precision is 'float8'; {known}"),
        layers_computing_in("float8"),
    ):
        pass


@pytest.mark.parametrize("flags, warns", [("avx2", True), ("avx2 avx512_bf16", False)])
def test_a_processor_that_emulates_bfloat16_is_reported(
    flags, warns, tmp_path, monkeypatch, caplog
):
    (tmp_path / "cpuinfo").write_text(f"model name: X\nflags: fpu {flags}\n")
    monkeypatch.setattr(precisions, "_CPU_FLAGS", tmp_path / "cpuinfo")
    monkeypatch.setattr(precisions.platform, "machine", lambda: "x86_64")
    with layers_computing_in("mixed_bfloat16"):
        pass
    assert ("emulates" in caplog.text) == warns
    with layers_computing_in("float32"):
        pass
    assert caplog.text.count("emulates") == warns


def first_gradients(precision: str, batch) -> np.ndarray:
    """Of the first step, unscaled: without decay, the first velocity is the gradient.

    Every ReLU is open (BatchNorm's beta 4, by frozen statistics): a value next to its
    kink has another gradient for the least rounding, in any precision.
    """
    localizer, optimizer = build_in(precision, l2=0.0, backbone="mobilenet_v1")
    for variable in localizer.trainable_variables:
        if variable.path.endswith("norm/beta"):
            variable.assign(tf.fill(variable.shape, 4.0))
        elif variable.path.endswith("norm/gamma"):
            variable.assign(tf.fill(variable.shape, 0.2))
    make_step(localizer, optimizer, batch_statistics=False)(batch)
    assert int(optimizer.iterations) == 1
    return np.concatenate([np.ravel(v.numpy()) for v in optimizer.velocities])


@pytest.mark.slow
def test_the_first_unscaled_gradients_of_float16_are_those_of_float32(rng):
    batch = make_batch(rng)
    expected = first_gradients("float32", batch)
    found = first_gradients("mixed_float16", batch)
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error <= 2e-3


@pytest.mark.slow
def test_an_overflow_skips_the_step_and_halves_the_scale():
    localizer, optimizer = build_in("mixed_float16")
    # With some images a fresh S_y is so near 0 that S^b_y / S_y overflows by itself.
    batch = make_batch(np.random.default_rng(1))
    step = make_step(localizer, optimizer)
    optimizer.loss_scale.assign(CALM)
    step(batch)
    assert int(optimizer.iterations) == int(optimizer.steps_since_overflow) == 1
    optimizer.loss_scale.assign(2.0**100)
    before = values_of(localizer, optimizer)
    losses = step(batch)
    after = values_of(localizer, optimizer)
    assert all(np.isfinite(value).all() for value in losses.values())
    assert {path for path in before if (before[path] != after[path]).any()} == {
        optimizer.loss_scale.path, optimizer.steps_since_overflow.path,
    }  # fmt: skip
    assert float(optimizer.loss_scale) == 2.0**99
    assert int(optimizer.steps_since_overflow) == 0
    optimizer.loss_scale.assign(CALM)
    step(batch)
    moved = values_of(localizer, optimizer)
    assert any((moved[p] != after[p]).any() for p in moved if "moving_mean" in p)
    assert int(optimizer.iterations) == 2


@pytest.mark.slow
def test_a_restored_training_goes_on_exactly_in_float16(rng, tmp_path):
    parts = build_in("mixed_float16")
    batch, step = make_batch(rng), make_step(*parts)
    parts[1].loss_scale.assign(CALM)
    step(batch)
    checkpoint.Checkpointer(tmp_path, *parts).save(1)
    again = build_in("mixed_float16", seed=1)
    assert checkpoint.Checkpointer(tmp_path, *again).restore() == 1
    expected, found = values_of(*parts), values_of(*again)
    assert float(again[1].loss_scale) == CALM
    assert expected.keys() == found.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.mark.slow
def test_bfloat16_trains_the_quick_demo_and_is_restored_in_float32(
    demo_workdir, tmp_path
):
    config = demo.get_config("quicktest")
    config.train.precision = "mixed_bfloat16"
    training.run_training(config, tmp_path)
    last = []
    for workdir in (demo_workdir, tmp_path):
        log = (workdir / experiment.LOG_FILE).read_text().splitlines()
        last.append(np.mean([json.loads(row)[names.LOSS] for row in log[-4:]]))
    assert last[1] == pytest.approx(last[0], rel=0.1)
    saved = experiment.load_experiment(tmp_path)
    localizer = experiment.load_localizer(saved)
    outputs = localizer(tf.zeros([1, 64, 64, 3]))
    assert {value.dtype for value in outputs.values()} == {tf.float32}
