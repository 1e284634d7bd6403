"""Replicas and workers: equal to one, sharing exactly, ending when one is lost."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.data import pipeline
from bas_tf.errors import UserError
from bas_tf.training import strategy, workers
from tests.training import ten_steps

REPO = Path(__file__).parents[2]
SCRIPT = [sys.executable, "-m", "tests.training.ten_steps"]


def test_multi_worker_without_tf_config_says_what_to_set(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UserError, match="TF_CONFIG is not set; .*--local_workers=N"):
        strategy.make_strategy("multi_worker")


@pytest.mark.parametrize(
    "value, reason",
    [
        ("{", "Expecting property name"),
        ('{"cluster": {"worker": ["a:1"]}}', "no 'task'"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "the task one of theirs",
        ),
        (
            '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
            "jobs are chief and worker",
        ),
        (
            '{"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", '
            '"index": 0}}',
            "'a' is not HOST:PORT",
        ),
        (
            '{"cluster": {"worker": ["a:70000"]}, "task": {"type": "worker", '
            '"index": 0}}',
            "'a:70000' is not HOST:PORT",
        ),
    ],
)
def test_a_wrong_tf_config_is_refused(monkeypatch, value, reason):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UserError, match=reason):
        strategy.make_strategy("multi_worker")


@pytest.mark.slow
def test_a_tpu_that_is_not_there():
    """In its own process: TensorFlow connects before it looks."""
    script = (
        "from bas_tf.training import strategy\n"
        "try: strategy.make_strategy('tpu:local')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    expected = "UserError train.strategy is 'tpu:local', but no TPU answers"
    assert done.stdout.startswith(expected), done.stderr


def test_a_process_alone_is_the_chief():
    for kind in ("default", "mirrored"):
        alone = strategy.make_strategy(kind)
        assert strategy.worker_of(alone) == (0, 1)
        assert strategy.is_chief(alone)


@pytest.mark.parametrize("kind", ["default", "mirrored"])
def test_the_replicas_parts_in_order_are_the_global_batch(squares, kind):
    """Batches of four on two replicas: examples 0, 1 on the first, 2, 3 on the next."""
    distribution = strategy.make_strategy(kind)
    options = {"crop_size_wh": (64, 64), "batch_size": 4, "seed": 0, "epoch": 1}
    expected = list(pipeline.train_batches(squares, **options))

    def make_dataset(worker):
        assert worker == (0, 1)
        return pipeline.train_batches(squares, worker=worker, **options)

    distributed = list(strategy.distribute(distribution, make_dataset))
    assert len(distributed) == len(expected) == 3
    for batch, whole in zip(distributed, expected, strict=True):
        for key in (names.IMAGES, names.LABELS):
            parts = distribution.experimental_local_results(batch[key])
            assert len(parts) == distribution.num_replicas_in_sync
            np.testing.assert_array_equal(np.concatenate(parts), whole[key])


def test_other_errors_of_one_process_pass_through():
    with (
        pytest.raises(tf.errors.InternalError),
        strategy.noticing_lost_workers(strategy.make_strategy("default")),
    ):
        raise tf.errors.InternalError(None, None, "broken")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """Ten steps on one replica, on two, and on two workers over loopback."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.distribute.MirroredStrategy, "_collective_key_base", 8000)
        for kind in ("default", "mirrored"):
            ten_steps.write(kind, out, strategy.make_strategy(kind))
    code = workers.run_local_workers(2, [*SCRIPT, "multi_worker", out], log_dir=out)
    assert code == 0, (out / "worker_1.log").read_text()
    return {path.stem: dict(np.load(path)) for path in out.glob("*.npz")}


@pytest.mark.slow
@pytest.mark.parametrize("other", ["mirrored_0", "multi_worker_0"])
def test_replicas_equal_one(runs, other):
    """Losses of ten steps in float64, then weights and moving statistics."""
    one, two = runs["default_0"], runs[other]
    keys = [key for key in one if key.startswith("float64/True/")]
    assert len(one["float64/True/losses"]) == 10
    assert any("moving_variance" in key for key in keys)
    for key in keys:
        if "/replicas/" not in key:
            np.testing.assert_allclose(
                two[key], one[key], rtol=1e-9, atol=1e-9, err_msg=key
            )


@pytest.mark.slow
def test_workers_hold_the_same_bits(runs):
    """Also by each replica's own statistics, whose moving mean is that of both."""
    first, second = runs["multi_worker_0"], runs["multi_worker_1"]
    assert any(key.startswith("float32/False/") for key in first)
    for key in first:
        if key != "images":
            assert first[key].tobytes() == second[key].tobytes(), key
    for key, value in runs["mirrored_0"].items():
        if "/replicas/" in key:
            np.testing.assert_array_equal(value[0], value[1], err_msg=key)


@pytest.mark.slow
def test_unsynchronized_replicas_differ_from_one(runs):
    """Else the equality of the others would say nothing."""
    key = "float32/False/localizer/backbone/trunk/block1/depthwise/norm/moving_variance"
    one, two = runs["default_0"][key], runs["mirrored_0"][key]
    assert np.abs(one - two).max() > 1e-4


@pytest.mark.slow
def test_the_workers_parts_in_order_are_the_global_batch(runs):
    """[steps, batch, ...] of one replica from halves along the batch."""
    halves = [runs[f"multi_worker_{i}"]["images"] for i in range(2)]
    whole = runs["default_0"]["images"]
    assert halves[0].shape[1] * 2 == whole.shape[1]
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), whole)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_other_with_one_line(tmp_path, victim):
    """Without the launcher: two processes, started as a cluster would."""
    survivor = 1 - victim
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(started_forever(tmp_path, environment, i))
            for i, environment in enumerate(workers.environments(2))
        ]
        wait_for(lambda: len(list(tmp_path.glob("beat_*"))) == 2, seconds=120)
        killed = time.monotonic()
        processes[victim].kill()
        code = processes[survivor].wait(timeout=60)
        print(f"ended after {time.monotonic() - killed:.1f} s")
    err = (tmp_path / f"err_{survivor}").read_text()
    assert code == 2, err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert f"error: worker {victim} is gone, worker {survivor} of 2 stops" in lines[0]


@contextlib.contextmanager
def started_forever(folder: Path, environment: dict[str, str], i: int):
    """A worker that steps until another is lost; it never outlives the test."""
    with open(folder / f"err_{i}", "wb") as err:
        process = subprocess.Popen(
            [*SCRIPT, "multi_worker_forever", folder],
            cwd=REPO, env=environment, stderr=err,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_for(condition, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
