"""Runs one side whenever its standard input says so.

A process of its own for each side: what one framework loads, keeps or spins is not
counted to another.

  python -m benchmarks.method_speed.process MODULE '{"threads": 2, ...}'

MODULE.build(**settings) gives {task: what it runs}. First line out: {"level_bytes"},
what is resident then. For each task that comes in, one call and its seconds; at the end
of the input {"peak_bytes"}.
"""

import gc
import importlib
import json
import sys
import time
from pathlib import Path


def resident_bytes(key: str) -> int:
    """VmRSS, what this process holds in memory, or VmHWM, the most it held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def main(module: str, settings: dict) -> None:
    calls = importlib.import_module(module).build(**settings)
    gc.collect()
    _say({"level_bytes": resident_bytes("VmRSS")})
    for line in sys.stdin:
        call = calls[line.strip()]
        start = time.perf_counter()
        call()
        _say(time.perf_counter() - start)
    _say({"peak_bytes": resident_bytes("VmHWM")})


def _say(document) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
