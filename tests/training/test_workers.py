"""Several processes of one command: started, told apart, ended together."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bas_tf.training import workers

pytestmark = pytest.mark.slow

# Takes the place of a training: index, then what it does.
SCRIPT = """
import json, os, signal, sys, time
config = json.loads(os.environ["TF_CONFIG"])
index = config["task"]["index"]
print("worker", index, "of", len(config["cluster"]["worker"]), flush=True)
"""


def run(tmp_path, body, count=2):
    return workers.run_local_workers(
        count, [sys.executable, "-c", SCRIPT + body], log_dir=tmp_path
    )


def test_each_worker_knows_its_place(tmp_path):
    body = f"open(r'{tmp_path}/config_%d.json' % index, 'w').write(json.dumps(config))"
    assert run(tmp_path, body, count=3) == 0
    configs = [
        json.loads((tmp_path / f"config_{i}.json").read_text()) for i in range(3)
    ]
    assert [c["task"] for c in configs] == [
        {"type": "worker", "index": i} for i in range(3)
    ]
    addresses = configs[0]["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert all(c["cluster"] == configs[0]["cluster"] for c in configs)


def test_the_first_keeps_the_terminal_and_the_others_a_log(tmp_path, capfd):
    assert run(tmp_path, "") == 0
    assert capfd.readouterr().out == "worker 0 of 2\n"
    assert (tmp_path / "worker_1.log").read_text() == "worker 1 of 2\n"


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(workers, "GRACE_S", 2)


@pytest.mark.parametrize(
    ("death", "code", "how"),
    [("sys.exit(7)", 7, "exit code 7"), ("os.kill(os.getpid(), 9)", 137, "SIGKILL")],
)
def test_one_that_dies_ends_the_others(tmp_path, capfd, short_grace, death, code, how):
    """The first would sleep for a minute: asked to end after the grace."""
    started = time.monotonic()
    body = f"{death} if index == 1 else time.sleep(60)"
    assert run(tmp_path, body) == code
    assert 2 <= time.monotonic() - started < 20
    log = tmp_path / "worker_1.log"
    expected = f"error: worker 1 ended by {how}; the others are ended too; see {log}\n"
    assert capfd.readouterr().err == expected


def test_one_that_does_not_listen_is_killed(tmp_path, short_grace):
    body = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open(r'{tmp_path}/pid_%d' % index, 'w').write(str(os.getpid()))\n"
        "sys.exit(3) if index == 0 else time.sleep(60)"
    )
    assert run(tmp_path, body) == 3
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid_1").read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_every_worker(tmp_path, number):
    """Each writes a file when told to stop and ends well: so does the launcher."""
    body = (
        "def stop(number, frame):\n"
        f"    open(r'{tmp_path}/stopped_%d' % index, 'w').write(str(number))\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        f"open(r'{tmp_path}/ready_%d' % index, 'w').close()\n"
        "time.sleep(60)"
    )
    launch = (
        "import sys; from pathlib import Path; from bas_tf.training import workers; "
        f"command = [sys.executable, '-c', {SCRIPT + body!r}]; sys.exit("
        f"workers.run_local_workers(2, command, log_dir=Path({str(tmp_path)!r})))"
    )
    launcher = subprocess.Popen([sys.executable, "-c", launch])
    try:
        deadline = time.monotonic() + 30
        while len(list(tmp_path.glob("ready_*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        launcher.send_signal(number)
        assert launcher.wait(timeout=30) == 0
    finally:
        launcher.kill()
    for i in range(2):
        assert (tmp_path / f"stopped_{i}").read_text() == str(int(number))


def test_a_signal_while_they_are_started_ends_those_there_are(
    tmp_path, monkeypatch, short_grace
):
    start, started = workers._start, []

    def start_and_stop(*args):
        started.append(start(*args))
        os.kill(os.getpid(), signal.SIGTERM)
        return started[-1]

    monkeypatch.setattr(workers, "_start", start_and_stop)
    assert run(tmp_path, "time.sleep(60)", count=3) == 143
    assert len(started) == 1
    assert started[0].poll() == -signal.SIGTERM
