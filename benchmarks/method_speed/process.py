"""Runs a task of one side for each line of its standard input.

A process for each side, so that what one framework loads or keeps does not count for
another.

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

import psutil

from bas_tf.export.evaluation.timed_artifact import peak_memory


def main(module: str, settings: dict) -> None:
    calls = importlib.import_module(module).build(**settings)
    gc.collect()
    _say({"level_bytes": psutil.Process().memory_info().rss})
    for line in sys.stdin:
        call = calls[line.strip()]
        start = time.perf_counter()
        call()
        _say(time.perf_counter() - start)
    _say({"peak_bytes": peak_memory()})


def _say(document) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
