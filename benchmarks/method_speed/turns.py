"""Sides in their own processes, called alternately."""

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from bas_tf.errors import UserError
from bas_tf.ops import precision
from benchmarks.method_speed import cases

WARM_UPS = 2
MODULES = {
    "ours": "ours",
    "bfloat16": "ours",
    "plain": "plain_port",
    "torch": "torch_reference",
    "ceiling": "matrix_product",
}


class Side:
    """A side in its own process, which calls a task on request.

    Args:
      name: for messages.
      settings: of the module's `build`; "threads" among them.
      tasks: names of what that makes.

    Raises:
      UserError: the process ends early; any method may.
    """

    def __init__(self, name: str, module: str, settings: Mapping, tasks: Sequence[str]):
        self._name, self._tasks = name, tasks
        self.seconds: dict[str, list[float]] = {task: [] for task in tasks}
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed in close
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.method_speed.process",
             module, json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": str(settings["threads"])},
        )  # fmt: skip
        try:
            self._memory = self._read()
        except BaseException:
            self.close()
            raise

    def run(self, *, counts: bool) -> None:
        """Calls each task once."""
        for task in self._tasks:
            with contextlib.suppress(BrokenPipeError):  # then nothing answers
                print(task, file=self._process.stdin, flush=True)
            seconds = self._read()
            if counts:
                self.seconds[task].append(seconds)

    def finish(self) -> dict:
        """Ends the process: seconds {task: of each call}, level_bytes, peak_bytes."""
        self._process.stdin.close()
        return {"seconds": self.seconds, **self._memory, **self._read()}

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._errors.close()

    def _read(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines() or ["it said nothing"]
        raise UserError(f"side {self._name}: ended early ({said[-1][:300]})")


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Median, least and most of the rounds' own ratios."""
    found = [s / f for s, f in zip(slow, fast, strict=True)]
    return [statistics.median(found), min(found), max(found)]


def sides_here() -> list[str]:
    """What can be measured: torch where it is installed, bfloat16 with instructions.

    Emulated, a step of bfloat16 takes ten times as long and says nothing.
    """
    possible = {
        "torch": importlib.util.find_spec("torch") is not None,
        "bfloat16": precision.computes_natively("mixed_bfloat16"),
    }
    return [name for name in MODULES if possible.get(name, True)]


def take_turns(phase: str, network: Mapping, settings: Mapping) -> dict[str, dict]:
    """`run_in_turns` of the sides of a phase; network: backbone and classes."""
    sides = {}
    for name in settings["sides"]:
        options = {"threads": settings["threads"]}
        if name != "ceiling":
            options |= {"phase": phase, "size": settings["size"], **network}
        if name == "bfloat16":
            options["precision"] = "mixed_bfloat16"
        module = f"benchmarks.method_speed.{MODULES[name]}"
        tasks = ("float32",) if name == "ceiling" else cases.PHASES[phase]
        sides[name] = module, options, tasks
    return run_in_turns(sides, settings["rounds"])


def run_in_turns(sides: Mapping[str, tuple], rounds: int) -> dict[str, dict]:
    """Calls every task of every side once a round, after `WARM_UPS`.

    Args:
      sides: {name: the other arguments of `Side`}, started in this order.

    Returns:
      {side: what `Side.finish` gives}.
    """
    with contextlib.ExitStack() as stack:
        started = {}
        for name, arguments in sides.items():
            started[name] = Side(name, *arguments)
            stack.callback(started[name].close)
        for turn in range(WARM_UPS + rounds):
            for side in started.values():
                side.run(counts=turn >= WARM_UPS)
        return {name: side.finish() for name, side in started.items()}
