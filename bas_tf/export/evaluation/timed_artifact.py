"""Runs one exported file whenever its standard input says so, and answers in JSON.

A process for each file: what one runtime loads is not counted to another,
and a TFLite file is run without TensorFlow, as on a device.

  python -m bas_tf.export.evaluation.timed_artifact FILE IMAGES.npy THREADS

First line out: {"load_seconds", "first_seconds"}. Then, for each number n that comes
in, a list of n latencies in seconds; at the end of the input {"peak_memory_bytes"}.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def load(path: Path, num_threads: int) -> Run:
    """images [1, h, w, 3] uint8 -> outputs by name; of any kind of file."""
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
        run = interpreter.get_signature_runner("serving_default")
        inputs = run.get_input_details()
        dtype = inputs.pop("images")["dtype"]
        # A class, where it is asked.
        others = {k: np.zeros(v["shape"], v["dtype"]) for k, v in inputs.items()}
        return lambda images: run(images=images.astype(dtype), **others)
    if path.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        session = onnxruntime.InferenceSession(str(path), options)
        outputs = [output.name for output in session.get_outputs()]
        return lambda images: dict(
            zip(outputs, session.run(outputs, {"images": images}), strict=True)
        )
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_tensor"]
    return lambda images: {
        name: value.numpy() for name, value in serve(tf.constant(images)).items()
    }


def peak_memory() -> int:
    """The most resident bytes of this process; `getrusage` has its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def main(path: Path, images: np.ndarray, num_threads: int) -> None:
    start = time.perf_counter()
    run = load(path, num_threads)
    loaded = time.perf_counter()
    run(images[:1])
    first = time.perf_counter() - loaded
    _say({"load_seconds": loaded - start, "first_seconds": first})
    done = 0
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            image = images[done % len(images)][np.newaxis]
            start = time.perf_counter()
            run(image)
            seconds.append(time.perf_counter() - start)
            done += 1
        _say(seconds)
    _say({"peak_memory_bytes": peak_memory()})


def _say(document) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3]))
