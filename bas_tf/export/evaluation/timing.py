"""Latency and memory of exported files, each in its own process."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bas_tf.errors import UserError

RUNS, ROUNDS, IMAGES = 20, 7, 16


class TimedProcess:
    """A file in its own process, which runs when told to.

    Args:
      path: the file or SavedModel folder.
      images_path: .npy of uint8 [n, h, w, 3] of the network's size.

    Raises:
      UserError: the file cannot be run.
    """

    def __init__(self, path: Path, images_path: Path, num_threads: int):
        self.path = path
        # A pipe that nobody reads fills up.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed in close
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bas_tf.export.evaluation.timed_artifact", str(path),
             str(images_path), str(num_threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            encoding="utf-8",
        )  # fmt: skip
        self.seconds: list[float] = []
        self.started = self._read()

    def run(self, count: int) -> None:
        """Adds the latencies of `count` images."""
        try:
            self._process.stdin.write(f"{count}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error
        self.seconds += self._read()

    def finish(self) -> dict:
        """Ends the process; what it measured, times in milliseconds."""
        import numpy as np

        ended, _ = self._process.communicate()
        if not ended:
            raise self._ended()
        return {
            "p50_ms": 1e3 * float(np.median(self.seconds)),
            "p95_ms": 1e3 * float(np.quantile(self.seconds, 0.95)),
            **self.started,
            **json.loads(ended),
        }

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return json.loads(line)

    def _ended(self) -> UserError:
        """What the process said before it ended too early."""
        self._process.communicate()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines() or ["it said nothing"]
        return UserError(f"{self.path}: cannot be run ({lines[-1][:300]})")


def input_size(artifacts: dict[str, Path]) -> tuple[int, int]:
    """Width and height of the network's images, as the first file with one has it.

    Raises:
      UserError: a file cannot be read, or all take any size.
    """
    from bas_tf.jobs import experiment

    for path in artifacts.values():
        size_wh = experiment.load_runner(path).input_size_wh
        if size_wh is not None:
            return size_wh
    raise UserError(
        f"{', '.join(map(str, artifacts.values()))}: takes images of any size; put a "
        "TFLite or ONNX file next to it, whose size is measured"
    )


def measure(
    artifacts: dict[str, Path], *, size_wh: tuple[int, int], num_threads: int
) -> dict[str, dict]:
    """{row's name: {p50_ms, p95_ms, load_seconds, first_seconds, peak_memory_bytes}}.

    `artifacts` are from `verification.find_artifacts`.

    Raises:
      UserError: a file cannot be run.
    """
    with taking_turns(
        artifacts,
        dict.fromkeys(artifacts, drawings(size_wh)),
        num_threads=num_threads,
        rounds=ROUNDS,
    ) as processes:
        return {name: process.finish() for name, process in processes.items()}


@contextlib.contextmanager
def taking_turns(
    artifacts: dict[str, Path], images: Mapping, *, num_threads: int, rounds: int
) -> Iterator[dict[str, TimedProcess]]:
    """Yields the files' processes after `rounds` turns of RUNS images each.

    Args:
      images: {name: uint8 [n, h, w, 3] of its network's size}.
      rounds: turns, after a first that is not counted.

    Raises:
      UserError: a file cannot be run.
    """
    import numpy as np

    processes: dict[str, TimedProcess] = {}
    with contextlib.ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory()))
        for name, artifact in artifacts.items():
            np.save(folder / f"{name}.npy", images[name])
            processes[name] = TimedProcess(
                artifact, folder / f"{name}.npy", num_threads
            )
            started.callback(processes[name].close)
        for process in processes.values():
            process.run(RUNS)  # warm
            process.seconds.clear()
        for _ in range(rounds):
            for process in processes.values():
                process.run(RUNS)
        yield processes


def drawings(size_wh: tuple[int, int]):
    """uint8 [IMAGES, height, width, 3]."""
    import numpy as np

    from bas_tf.data.drawings.source import draw_example

    return np.stack(
        [
            draw_example(seed=0, split="test", index=i, image_size=size_wh).image
            for i in range(IMAGES)
        ]
    )


def format_rows(rows: dict[str, dict]) -> str:
    """A table for people."""
    lines = [f"{'':<18}{'p50 ms':>9}{'p95 ms':>9}{'first s':>9}{'peak MiB':>10}"]
    for name, row in rows.items():
        lines.append(
            f"{name:<18}{row['p50_ms']:>9.2f}{row['p95_ms']:>9.2f}"
            f"{row['load_seconds'] + row['first_seconds']:>9.2f}"
            f"{row['peak_memory_bytes'] / 2**20:>10.0f}"
        )
    return "\n".join(lines)
