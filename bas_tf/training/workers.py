"""Several processes of one command on this machine, as workers of one training."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

GRACE_S = 5  # for the others to say their own error, and again to end when told to
POLL_S = 0.2


def run_local_workers(count: int, command: Sequence[str], *, log_dir: Path) -> int:
    """Runs `count` processes of a command, each with its TF_CONFIG on loopback.

    The first one keeps this terminal; the others write log_dir/worker_<i>.log. SIGTERM
    and SIGINT go to all of them. When one ends with an error, the others are given
    GRACE_S to end too, then are ended; one line on standard error names it.

    All see the same devices: on one machine with several GPUs `train.strategy`
    "mirrored" is the better way.

    Returns:
      0 when all ended with 0; else the exit code of the first that did not, 128 plus
      the number of the signal that ended it. A signal that comes before all have
      started ends those that have, and gives 128 plus its number.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    processes: list[subprocess.Popen] = []
    with _forwarded_signals(processes) as received:
        try:
            for i, environment in enumerate(environments(count)):
                processes.append(_start(command, environment, i, log_dir))
                if received:
                    return 128 + received[0]
            return _wait(processes, log_dir)
        finally:
            _end(processes)


def environments(count: int) -> list[dict[str, str]]:
    """This process's environment with the TF_CONFIG of each of `count` workers."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    return [
        {
            **os.environ,
            "TF_CONFIG": json.dumps(
                {"cluster": cluster, "task": {"type": "worker", "index": i}}
            ),
        }
        for i in range(count)
    ]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all are held until all are found."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


def _start(command, environment, i: int, log_dir: Path) -> subprocess.Popen:
    """Its own session: the terminal's Ctrl-C must not reach it twice."""
    options = {"env": environment, "start_new_session": True}
    if i == 0:
        return subprocess.Popen(command, **options)
    with open(_log_of(i, log_dir), "wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, **options
        )


def _log_of(i: int, log_dir: Path) -> Path:
    return log_dir / f"worker_{i}.log"


@contextlib.contextmanager
def _forwarded_signals(processes: list[subprocess.Popen]) -> Iterator[list[int]]:
    """Yields the list that the numbers of signals are added to."""
    received = []

    def forward(number, frame):
        received.append(int(number))
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    kept = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _wait(processes: list[subprocess.Popen], log_dir: Path) -> int:
    while True:
        codes = [process.poll() for process in processes]
        for i, code in enumerate(codes):
            if code:
                _report(i, code, log_dir, others=len(processes) - 1)
                return code if code > 0 else 128 - code
        if None not in codes:
            return 0
        time.sleep(POLL_S)


def _report(i: int, code: int, log_dir: Path, *, others: int) -> None:
    how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
    where = f"; see {_log_of(i, log_dir)}" if i else ""
    rest = "; the others are ended too" if others else ""
    print(f"error: worker {i} ended by {how}{rest}{where}", file=sys.stderr)


def _end(processes: list[subprocess.Popen]) -> None:
    """Waits, asks, then kills; nothing is left running."""
    for act in (lambda p: None, subprocess.Popen.terminate, subprocess.Popen.kill):
        for process in processes:
            if process.poll() is None:
                act(process)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(p.poll() is None for p in processes):
            time.sleep(POLL_S)
