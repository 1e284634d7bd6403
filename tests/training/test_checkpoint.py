"""What is on disk is either whole or not used, and never lost to a newer attempt."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.training.checkpoint import Checkpointer
from bas_tf.training.optimizer import TorchSGD
from tests.training.narrow import narrow_localizer


@pytest.fixture
def build():
    """Builds the same small model and optimizer again and again."""

    def build_parts(seed=0):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input([200]),
                keras.layers.Dense(100, name="first"),
                keras.layers.Dense(3, name="last"),
            ],
            name="small",
        )
        optimizer = TorchSGD(1e-2)
        optimizer.build(model.trainable_variables)
        return model, optimizer

    return build_parts


@pytest.fixture
def saved(build, tmp_path):
    """A workdir with the checkpoints of steps 3 and 6; each weight is 3, or 6."""
    parts = build()
    saver = Checkpointer(tmp_path, *parts)
    for step in (3, 6):
        fill(parts, step)
        saver.save(step)
    return tmp_path


def fill(parts, value):
    for variable in parts[0].variables:
        variable.assign(np.full(variable.shape, value, variable.dtype))


def newest(workdir, suffix):
    return workdir / "checkpoints" / f"step-6.{suffix}"


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "lost"])
@pytest.mark.parametrize("inference", [False, True])
def test_a_damaged_newest_is_passed_over(
    build, saved, suffix, damage, inference, caplog
):
    path = newest(saved, suffix)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 8] ^= 0xFF  # the model's variables come first
        path.write_bytes(content)
    elif damage == "lost":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    parts = build(seed=1)
    with caplog.at_level("WARNING", logger="absl"):
        checkpointer = Checkpointer(saved, *(parts[:1] if inference else parts))
        assert checkpointer.restore() == 3
    assert all((v.numpy() == 3).all() for v in parts[0].variables)
    assert "step-6: cannot be read (" in caplog.text
    assert "the one before it is used" in caplog.text


def test_inference_takes_the_averaged_weights(build, tmp_path):
    """Momentum 0.75, weights 4 then 8: 0.75 * 4 + 0.25 * 8 = 5; resuming takes 8."""
    model, _ = build()
    optimizer = TorchSGD(1.0, momentum=0.0, l2=0.0, ema=0.75)
    optimizer.build(model.trainable_variables)
    for value in (4.0, 8.0):  # a gradient that leads there in one step of rate 1 or 2
        gradients = [
            (tf.convert_to_tensor(v) - value) / (2 if v.path.endswith("bias") else 1)
            for v in model.trainable_variables
        ]
        optimizer.apply(gradients, model.trainable_variables)
    Checkpointer(tmp_path, model, optimizer).save(2)
    used, resumed = build(seed=1)[0], build(seed=1)[0]
    assert Checkpointer(tmp_path, used).restore() == 2
    other = TorchSGD(1.0, ema=0.75)
    other.build(resumed.trainable_variables)
    assert Checkpointer(tmp_path, resumed, other).restore() == 2
    for averaged, last in zip(used.variables, resumed.variables, strict=True):
        np.testing.assert_allclose(averaged, 5.0, rtol=1e-6)
        np.testing.assert_allclose(last, 8.0, rtol=1e-6)


def test_no_good_checkpoint_at_all_is_an_error(build, saved):
    for path in (saved / "checkpoints").glob("*.index"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"none of its checkpoints can be read"):
        Checkpointer(saved, *build()).restore()


def test_nothing_there_is_none(build, tmp_path):
    assert Checkpointer(tmp_path, *build()).restore() is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_classes": 7}, r"is 3 there and 7 here"),
        (
            {"backbone_options": {"width": 0.25}},
            r"is 3x3x16x1 there and 3x3x32x1 here",
        ),
        ({"normalize_generator_input": False}, "there and missing here"),
        ({"backbone": "vgg16", "backbone_options": {}}, "is missing|missing here"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, changes, told):
    options = {"normalize_generator_input": True}
    Checkpointer(tmp_path, narrow_localizer(**options)).save(6)
    with pytest.raises(UserError, match="step-6: does not fit this model: ") as caught:
        Checkpointer(tmp_path, narrow_localizer(**{**options, **changes})).restore()
    assert caught.match(told)
    assert "\n" not in str(caught.value)


def test_a_save_again_that_fails_leaves_what_was_there(build, saved):
    """Of the same number, as when a killed training does an epoch again."""
    parts = build()
    saver = Checkpointer(saved, *parts)
    with limit_file_size(1000), pytest.raises(UserError, match="step-6 is still good"):
        saver.save(6)
    assert Checkpointer(saved, *build(seed=1)).restore() == 6


def test_an_error_of_the_thread_is_told_beside_another(build, tmp_path, caplog):
    saver = Checkpointer(tmp_path, *build(), asynchronous=True)
    with pytest.raises(ZeroDivisionError), saver.finishing():
        with limit_file_size(1000):
            saver.save(3)
            saver._pending.exception()
        raise ZeroDivisionError
    assert "step 3 cannot be saved" in caplog.text
    with (
        pytest.raises(UserError, match="step 4 cannot"),
        saver.finishing(),
        limit_file_size(1000),
    ):
        saver.save(4)
        saver._pending.exception()


def test_an_asynchronous_save_is_of_its_moment(build, tmp_path):
    """What the training does next does not get in; the last one waits."""
    parts = build()
    saver = Checkpointer(tmp_path, *parts, asynchronous=True)
    for step in (3, 6):
        fill(parts, step)
        saver.save(step)
        fill(parts, 9)
    saver.finish()
    again = build(seed=1)
    assert Checkpointer(tmp_path, *again).restore() == 6
    assert all((v.numpy() == 6).all() for v in again[0].variables)
    newest(tmp_path, "index").unlink()
    assert Checkpointer(tmp_path, *again).restore() == 3
    assert all((v.numpy() == 3).all() for v in again[0].variables)


def test_weights_that_are_not_finite_are_not_saved(build, saved):
    """A gradient can break them in a step whose losses are still finite."""
    parts = build()
    parts[0].get_layer("last").kernel.assign(np.full([100, 3], np.nan))
    with pytest.raises(UserError, match="step 9: small/last/kernel is not fin.*step-6"):
        Checkpointer(saved, *parts).save(9)
    assert Checkpointer(saved, *build(seed=1)).restore() == 6


def test_only_the_newest_are_kept(build, tmp_path):
    parts = build()
    saver = Checkpointer(tmp_path, *parts, keep=3)
    for step in range(1, 6):
        saver.save(step)
    names = {path.stem for path in (tmp_path / "checkpoints").glob("*.index")}
    assert names == {"step-3", "step-4", "step-5"}
    again = Checkpointer(tmp_path, *build(), keep=3)
    again.restore()
    again.save(7)
    names = {path.stem for path in (tmp_path / "checkpoints").glob("*.index")}
    assert names == {"step-4", "step-5", "step-7"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_full_disk_leaves_the_checkpoint_before(build, tmp_path, asynchronous):
    """A file system of 1.5 checkpoints; without the right to mount it, a size limit."""
    workdir = tmp_path / "workdir"
    workdir.mkdir()
    parts = build()
    fill(parts, 3)
    sizes = tmp_path / "sizes"
    Checkpointer(sizes, *parts).save(3)
    size = sum(path.stat().st_size for path in sizes.rglob("*") if path.is_file())
    mounted = mount_tmpfs(workdir, size * 3 // 2)
    try:
        saver = Checkpointer(workdir, *parts, asynchronous=asynchronous)
        saver.save(3)
        saver.finish()
        fill(parts, 6)
        with (
            contextlib.nullcontext() if mounted else limit_file_size(size // 2),
            pytest.raises(UserError, match="step 6 cannot be saved") as caught,
        ):
            saver.save(6)
            saver.finish()
        assert "step-3 is still good" in str(caught.value)
        left = {path.name for path in (workdir / "checkpoints").iterdir()}
        assert left == {"checkpoint", "step-3.index", "step-3.data-00000-of-00001"}
        again = build(seed=1)
        assert Checkpointer(workdir, *again).restore() == 3
        assert all((v.numpy() == 3).all() for v in again[0].variables)
    finally:
        if mounted:
            subprocess.run(["umount", str(workdir)], check=True)


def mount_tmpfs(folder, size) -> bool:
    if os.geteuid() or not shutil.which("mount"):
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def limit_file_size(size):
    """Writing past the size fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_workdir_that_cannot_be_written_is_told(build, tmp_path):
    """A file stands where the folder should be: so for root too."""
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(UserError, match="checkpoints: .*cannot be"):
        Checkpointer(tmp_path, *build()).save(1)
