r"""Seconds and memory of the `maxboxacc` sweep over a test set the size of CUB's.

  python -m benchmarks.metric_sweep

Stores synthetic 28 x 28 maps, sweeps them at 1,000 thresholds, 3 IoU thresholds and
both contour rules in one pass, and times beside it a loop of our own that does what
the protocol's public evaluator does: one search for contours a map and threshold. The
loop runs on the first few maps; its time is scaled to all of them.
"""

import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from bas_tf.geometry import contours
from bas_tf.geometry.boxes import iou_plus_one
from bas_tf.metrics import box_accuracy

CROP = (224, 224)
MAP_SIZE = 28


def synthetic_maps(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blobs through a sigmoid, with noise, and boxes around about where they are.

    Returns:
      float32 [count, 28, 28] maps and int64 [count, 1, 4] true boxes on the crop.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:MAP_SIZE, :MAP_SIZE]
    centres = rng.uniform(0.3, 0.7, [count, 2, 1, 1]) * MAP_SIZE
    radii = rng.uniform(0.1, 0.3, [count, 2, 1, 1]) * MAP_SIZE
    squares = ((x - centres[:, 0]) / radii[:, 0]) ** 2
    squares += ((y - centres[:, 1]) / radii[:, 1]) ** 2
    noise = 0.3 * rng.standard_normal([count, MAP_SIZE, MAP_SIZE])
    maps = 1 / (1 + np.exp(3 - 8 * np.exp(-squares) - noise))
    corners = np.concatenate([centres - radii, centres + radii], axis=1)
    boxes = corners.reshape(count, 1, 4) * CROP[0] / MAP_SIZE
    return maps.astype(np.float32), boxes.astype(np.int64)


def count_one_threshold_at_a_time(maps, true_boxes) -> np.ndarray:
    """Right maps, [2, 3, 1000]: largest and any contour, IoU thresholds, thresholds."""
    counts = np.zeros([2, 3, len(box_accuracy.THRESHOLDS)], np.int64)
    for score_map, boxes in zip(maps, true_boxes, strict=True):
        image = contours.quantize(contours.scores_on_crop(score_map, CROP))
        for t, threshold in enumerate(box_accuracy.THRESHOLDS):
            level = int(threshold * image.max())
            _, foreground = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)
            found, _ = cv2.findContours(
                foreground, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
            )
            largest = max(found, key=cv2.contourArea)
            for row, chosen in enumerate(([largest], found)):
                rectangles = np.array([cv2.boundingRect(c) for c in chosen])
                high = np.minimum(rectangles[:, :2] + rectangles[:, 2:], CROP[0] - 1)
                ious = iou_plus_one(np.hstack([rectangles[:, :2], high]), boxes)
                counts[row, :, t] += ious.max() >= box_accuracy.IOU_THRESHOLDS
    return counts


def counts_of(sweep: box_accuracy.BoxSweep) -> np.ndarray:
    """The same [2, 3, 1000] from a sweep."""
    return np.array(
        [
            [
                sweep.num_correct(iou_threshold=delta, multi=multi)
                for delta in box_accuracy.IOU_THRESHOLDS
            ]
            for multi in (False, True)
        ]
    )


def main(_) -> None:
    count, loop_count = flags.FLAGS.num_maps, flags.FLAGS.num_loop_maps
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.npy"
        maps, true_boxes = synthetic_maps(count)
        np.save(path, maps)
        wall, cpu = time.perf_counter(), time.process_time()
        maps = np.load(path)
        sweep = box_accuracy.sweep_maps(maps, true_boxes, crop_size_wh=CROP)
        counts = counts_of(sweep)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    best = counts.max(axis=-1) / count
    print(
        f"{count} stored maps of 28x28, boxed on 224x224; 1000 thresholds x 3 IoU "
        f"thresholds x largest / any contour\n"
        f"one pass, 1 thread: {wall:.1f} s ({cpu:.1f} s of processor time), "
        f"peak memory {peak:.2f} GiB\n"
        f"MaxBoxAcc {best[0, 1]:.4f}, MaxBoxAccV2 {best[1].mean():.4f}"
    )
    wall, cpu = time.perf_counter(), time.process_time()
    by_loop = count_one_threshold_at_a_time(maps[:loop_count], true_boxes[:loop_count])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ours = box_accuracy.BoxSweep(sweep.single[:loop_count], sweep.multi[:loop_count])
    equal = "equal" if np.array_equal(by_loop, counts_of(ours)) else "DIFFERENT"
    print(
        f"one search a map and threshold, as the public evaluator works (our own "
        f"loop, 1 thread): {wall:.1f} s for {loop_count} maps ({cpu:.1f} s of "
        f"processor time), scaled to {count}: {wall * count / loop_count:.0f} s "
        f"({cpu * count / loop_count:.0f} s of processor time); "
        f"counts {equal}"
    )


if __name__ == "__main__":
    flags.DEFINE_integer("num_maps", 5794, "Maps to sweep.", lower_bound=1)
    flags.DEFINE_integer("num_loop_maps", 20, "Maps for the loop.", lower_bound=1)
    app.run(main)
