r"""Milliseconds that the box costs inside a LiteRT file, on one thread.

  python -m benchmarks.box_in_graph [--maps=FILE.npz --key=NAME]

From a 28 x 28 map to the box at 224 pixels: normalise, resize, cut, label, pick. The
maps are the drawings' true masks, averaged to 28 x 28 and made uneven by noise; or
those of a file, [n, h, w].
"""

import statistics
import time

import numpy as np
import tensorflow as tf
from absl import app, flags
from ai_edge_litert.interpreter import Interpreter

from bas_tf import entry_point
from bas_tf.data.synthetic import draw_example
from bas_tf.inference import map_to_boxes

GRID, SIZE = 28, 224


def drawn_maps(count: int) -> np.ndarray:
    rng, maps = np.random.default_rng(0), []
    for i in range(count):
        drawn = draw_example(seed=0, split="test", index=i, image_size=(SIZE, SIZE))
        mask = (drawn.mask == 255).reshape(GRID, SIZE // GRID, GRID, SIZE // GRID)
        maps.append(mask.mean(axis=(1, 3)) + rng.normal(0, 0.05, [GRID, GRID]))
    return np.array(maps, np.float32)


def convert(height: int, width: int) -> Interpreter:
    spec = tf.TensorSpec([1, height, width, 1], tf.float32)

    @tf.function(input_signature=[spec], autograph=False)
    def box(maps):
        return map_to_boxes(maps, (SIZE, SIZE), score_threshold=0.5)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [box.get_concrete_function()], box
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return Interpreter(model_content=converter.convert(), num_threads=1)


def main(_) -> None:
    if flags.FLAGS.maps:
        maps = np.squeeze(np.load(flags.FLAGS.maps)[flags.FLAGS.key]).astype(np.float32)
    else:
        maps = drawn_maps(200)
    interpreter = convert(*maps.shape[1:])
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    rounds = []
    for _ in range(flags.FLAGS.rounds):
        seconds = []
        for one in maps:
            interpreter.set_tensor(index, one[np.newaxis, ..., np.newaxis])
            start = time.perf_counter()
            interpreter.invoke()
            seconds.append(time.perf_counter() - start)
        rounds.append(statistics.median(seconds))
    print(
        f"{len(maps)} maps of {maps.shape[2]}x{maps.shape[1]}, box at {SIZE} pixels, "
        f"one thread: median {1e3 * statistics.median(rounds):.2f} ms of {len(rounds)} "
        f"rounds' medians ({1e3 * min(rounds):.2f} to {1e3 * max(rounds):.2f}), worst "
        f"map of the last round {1e3 * max(seconds):.2f} ms"
    )


if __name__ == "__main__":
    entry_point.define_path("maps", "", ".npz with real maps.")
    flags.DEFINE_string("key", "maps", "Which array of it.")
    flags.DEFINE_integer("rounds", 5, "Passes over all maps.", lower_bound=5)
    app.run(main)
