"""Trainings that are killed or asked to stop, in real processes, go on exactly."""

import json
import os
import random
import signal
import time

import psutil
import pytest

from bas_tf.jobs import experiment
from tests.commands import run_command, start_command
from tests.training import narrow

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "3"))
EPOCHS = 2 + KILLS  # a killed run does some steps of an epoch of 6, seldom more
STEPS = 6 * EPOCHS
QUICK = (
    "--config=configs/demo.py:quicktest",
    "--config.data.num_images.train=96", "--config.data.num_images.val=4",
    "--config.data.num_images.test=4",
)  # fmt: skip
ON_SHALLOW = f"--config.model.backbone={narrow.NAME}"
COMMAND = (
    "tests.jobs.on_shallow", "bas_tf.train", *QUICK, ON_SHALLOW,
    f"--config.train.epochs={EPOCHS}",
)  # fmt: skip


def log_of(workdir):
    path = workdir / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def weights_of(workdir):
    with narrow.shallow_backbone():
        localizer = experiment.load_localizer(experiment.load_experiment(workdir))
    return [v.numpy().tobytes() for v in localizer.variables]


@pytest.fixture(scope="module")
def through(tmp_path_factory):
    """The workdir of the training that nothing interrupts."""
    workdir = tmp_path_factory.mktemp("through") / "run"
    done = run_command(*COMMAND, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["step"] for line in log_of(workdir)] == [
        *range(1, STEPS + 1)
    ]
    return workdir


def assert_same_training(workdir, through):
    assert log_of(workdir) == log_of(through)
    assert weights_of(workdir) == weights_of(through)


def test_kills_change_no_bit(tmp_path, through):
    """SIGKILL at random moments after a step was logged, so often within a save.

    KILLS=20 in the environment makes it as many.
    """
    workdir, rng, kills = tmp_path / "run", random.Random(0), 0
    command = (
        *COMMAND, "--config.train.checkpoint_every_steps=2", f"--workdir={workdir}",
    )  # fmt: skip
    while kills < KILLS:
        process = start_command(*command)
        before = log_of(workdir)
        while process.poll() is None and log_of(workdir)[-1:] in ([], before[-1:]):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    assert not (workdir / "metrics.json").exists()
    done = run_command(*command)
    assert done.returncode == 0, done.stderr
    assert_same_training(workdir, through)


def test_sigterm_saves_the_step_at_hand(tmp_path, through):
    """Asked to stop after step 8 or a little later, in the middle of an epoch."""
    workdir = tmp_path / "run"
    command = (*COMMAND, f"--workdir={workdir}")
    process = start_command(*command)
    while len(log_of(workdir)) < 8:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    stopped = len(log_of(workdir))
    assert 8 <= stopped < STEPS and stopped % 6
    assert "stopped by SIGTERM" in err and "the same command continues" in err
    assert out == ""  # nothing was evaluated
    assert (workdir / "checkpoints" / f"step-{stopped}.index").exists()
    done = run_command(*command)
    assert done.returncode == 0, done.stderr
    assert f"continues after step {stopped} of {STEPS}" in done.stderr
    assert_same_training(workdir, through)


@pytest.mark.parametrize(
    ("module", "config", "row"),
    [
        ("export.demo", "configs/demo.py:quicktest", ""),
        ("bas_tf.ablate", "configs/ablation.py:synthetic_quicktest", "ce_area"),
    ],
)
def test_what_sigterm_stopped_is_neither_evaluated_nor_taken_as_done(
    tmp_path, module, config, row
):
    """A row with a metrics.json would never be trained to its end."""
    process = start_command(
        "tests.jobs.on_shallow", module, f"--config={config}", ON_SHALLOW,
        "--config.train.epochs=20", f"--workdir={tmp_path}",
    )  # fmt: skip
    while not log_of(tmp_path / row):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, ""), err
    assert "stopped by SIGTERM" in err
    assert not list(tmp_path.rglob("metrics.json"))
    assert not (tmp_path / "full").exists()  # no other row began


WORKERS = (
    "tests.jobs.on_shallow", "bas_tf.train", *QUICK, ON_SHALLOW,
    "--config.train.epochs=2", "--local_workers=2",
    "--config.train.classifier_epochs=0", "--config.train.checkpoint_every_steps=2",
)  # fmt: skip


def test_a_lost_worker_ends_the_training_and_all_of_them_continue_it(tmp_path):
    """The second of two is killed in the second epoch."""
    through, workdir = tmp_path / "through", tmp_path / "run"
    done = run_command(*WORKERS, f"--workdir={through}")
    assert done.returncode == 0, done.stderr
    launcher = start_command(*WORKERS, f"--workdir={workdir}")
    while len(log_of(workdir)) < 7:
        assert launcher.poll() is None, launcher.stderr.read()
        time.sleep(0.01)
    worker_of(launcher, 1).kill()
    killed = time.monotonic()
    _, err = launcher.communicate(timeout=60)
    print(f"ended after {time.monotonic() - killed:.1f} s")
    assert launcher.returncode == 128 + signal.SIGKILL
    assert "error: worker 1 ended by SIGKILL; the others are ended too" in err
    assert 7 <= len(log_of(workdir)) < 12
    done = run_command(*WORKERS, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "continues after step" in done.stderr
    assert_same_training(workdir, through)


def worker_of(launcher, index: int) -> psutil.Process:
    children = psutil.Process(launcher.pid).children()
    task = f'"task": {{"type": "worker", "index": {index}}}'
    return next(c for c in children if task in c.environ()["TF_CONFIG"])
