"""Keras's own habits: .keras files, compile and fit."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.training import strategy, train_step
from bas_tf.training.optimizer import TorchSGD
from tests.test_import_order import REPO
from tests.training.narrow import narrow_localizer

METHOD = {"alpha": 0.5, "beta": 1.5}


def small_localizer(**changes):
    keras.utils.set_random_seed(0)
    return narrow_localizer(normalize_generator_input=True, **changes)


def batches(dtype="float32"):
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, [8, 64, 64, 3]).astype(dtype)
    return tf.data.Dataset.from_tensor_slices((images, rng.integers(0, 3, 8))).batch(4)


@pytest.mark.slow
def test_two_epochs_of_fit_are_the_own_loops(in_float64):
    fitted, looped = small_localizer(), small_localizer()
    fitted.compile(TorchSGD(1e-2), **METHOD)
    history = fitted.fit(batches("float64"), epochs=2, shuffle=False, verbose=0).history
    optimizer = TorchSGD(1e-2)
    optimizer.build(looped.trainable_variables)
    step = train_step.make_train_step(
        localizer=looped, optimizer=optimizer,
        strategy=strategy.make_strategy("default"),
        method=train_step.Method(**METHOD), bas_active=True, batch_size=4,
    )  # fmt: skip
    for epoch in range(2):
        found = [
            step({names.IMAGES: images, names.LABELS: tf.cast(labels, tf.int32)})
            for images, labels in batches("float64")
        ]
        for name in ("loss", "area_constraint_loss"):
            own = float(found[-1][name])
            assert history[name][epoch] == pytest.approx(own, rel=1e-9)
    for a, b in zip(fitted.variables, looped.variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.slow
def test_a_keras_file_is_the_same_network_in_a_fresh_process(tmp_path):
    localizer = small_localizer(backbone="mobilenet_v1")
    path = tmp_path / "localizer.keras"
    localizer.save(path)
    images = next(iter(batches()))[0]
    np.save(tmp_path / "images.npy", images)
    script = f"""
import bas_tf, numpy as np
loaded = bas_tf.from_preset(r"{path}")
outputs = loaded(np.load(r"{tmp_path}/images.npy"))
np.save(r"{tmp_path}/map.npy", outputs["{names.LOCALIZATION_MAP}"])"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    own = localizer(images)[names.LOCALIZATION_MAP]
    np.testing.assert_array_equal(np.load(tmp_path / "map.npy"), own)


@pytest.mark.slow
def test_fit_under_two_devices_and_for_the_classifier_alone():
    mirrored = strategy.make_strategy("mirrored")
    with mirrored.scope():
        localizer = small_localizer()
        localizer.compile(keras.optimizers.SGD(1e-2), classifier_alone=True)
    kernel = np.array(localizer.generator.kernel)
    history = localizer.fit(batches(), epochs=1, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"][0])
    np.testing.assert_array_equal(localizer.generator.kernel, kernel)
    with mirrored.scope():
        localizer.compile(keras.optimizers.SGD(1e-2), **METHOD)
    history = localizer.fit(batches(), epochs=1, shuffle=False, verbose=0).history
    assert history["area_constraint_loss"][0] > 0
    assert not np.array_equal(localizer.generator.kernel, kernel)
