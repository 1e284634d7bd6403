r"""One worker against two, each process on a core of its own.

  python -m benchmarks.scaling               (about 8 minutes)

Weak scaling: each worker takes the same batch, so two of them would be twice as fast
in images per second if they cost each other nothing. `compute`: a MobileNetV1 at 128
pixels whose images are in memory. `input`: a small network that crops 64 pixels of
JPEG files of 500 x 375, decoded anew each time. Sides run in turns; ratios are medians
over the rounds. Beside them stands what a worker's core was busy for: the rest is
waiting, for the other worker or for its own reading.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

from bas_tf.training import workers

BATCH, WARM_UP, STEPS = 16, 4, 16
CASES = {  # image size, crop, width of the network, cached
    "compute": ((144, 144), (128, 128), 0.5, True),
    "input": ((500, 375), (64, 64), 0.125, False),
}


def train(case: str, root: Path, out: Path) -> None:
    """A worker: steps of the real pipeline, model and step; writes its figures."""
    import tensorflow as tf

    from bas_tf.data import pipeline
    from bas_tf.data.folder import FolderSource
    from bas_tf.models.localizer import build_localizer
    from bas_tf.training import strategy, train_step
    from bas_tf.training.optimizer import TorchSGD

    tf.config.threading.set_intra_op_parallelism_threads(1)
    distribution = strategy.make_strategy("multi_worker")
    which, count = strategy.worker_of(distribution)
    _, crop, width, cached = CASES[case]
    source = FolderSource(root=str(root))
    images = pipeline.TrainingImages(
        source.records("train"), resize_size_wh=(max(crop) + 16,) * 2, keep=cached
    )
    with distribution.scope():
        localizer = build_localizer(
            backbone="mobilenet_v1", num_classes=len(source.class_names),
            input_size_wh=crop, classifier={"variant": "linear"},
            backbone_options={"width": width},
        )  # fmt: skip
        optimizer = TorchSGD(1e-4)
        optimizer.build(localizer.trainable_variables)
    step = train_step.make_train_step(
        localizer=localizer, optimizer=optimizer, strategy=distribution,
        method=train_step.Method(alpha=0.5, beta=1.2),
        bas_active=True, batch_size=BATCH * count,
    )  # fmt: skip

    def share_of(worker):
        return pipeline.train_batches(
            images, crop_size_wh=crop, batch_size=BATCH * count, seed=0, epoch=0,
            worker=worker,
        )  # fmt: skip

    batches = iter(strategy.distribute(distribution, share_of))
    for _ in range(WARM_UP):
        step(next(batches))
    wall, busy = time.perf_counter(), time.process_time()
    for _ in range(STEPS):
        step(next(batches))["loss"].numpy()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    figures = {
        "images_per_second": BATCH * count * STEPS / wall,
        "busy": busy / wall,
        "parameters": int(sum(v.numpy().size for v in localizer.trainable_variables)),
    }
    (out / f"{which}.json").write_text(json.dumps(figures), encoding="utf-8")


def measure(case: str, root: Path, count: int) -> dict:
    """The first worker's figures of `count` workers, each held to one core."""
    with tempfile.TemporaryDirectory() as out:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.scaling", f"--worker={case}",
                 f"--root={root}", f"--out={out}"],
                env=environment, stderr=subprocess.DEVNULL,
                preexec_fn=lambda i=i: os.sched_setaffinity(0, {i}),
            )
            for i, environment in enumerate(workers.environments(count))
        ]  # fmt: skip
        for process in processes:
            if process.wait():
                raise RuntimeError(f"{case}: a worker ended with {process.returncode}")
        return json.loads((Path(out) / "0.json").read_text(encoding="utf-8"))


def write_photos(root: Path, size_wh: tuple[int, int]) -> None:
    import numpy as np
    from PIL import Image

    from bas_tf.data.synthetic import draw_example

    rng = np.random.default_rng(0)
    for i in range(BATCH * 2 * (WARM_UP + STEPS)):
        drawn = draw_example(seed=0, split="train", index=i, image_size=size_wh)
        pixels = np.clip(drawn.image + rng.normal(0, 4, drawn.image.shape), 0, 255)
        folder = root / "train" / str(i % 8)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.jpg", quality=90)


def compare(case: str, root: Path, rounds: int) -> None:
    found: dict[int, list[dict]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, figures in found.items():
            figures.append(measure(case, root, count))
    speeds = {n: [f["images_per_second"] for f in found[n]] for n in found}
    ratios = [two / one for one, two in zip(*speeds.values(), strict=True)]
    for count, figures in found.items():
        busy = statistics.median(f["busy"] for f in figures)
        print(
            f"{case}, {count} worker(s): median {statistics.median(speeds[count]):.1f} "
            f"images per second, core busy {busy:.0%}"
        )
    gradient = 4 * found[1][0]["parameters"]
    print(
        f"{case}: two against one, median {statistics.median(ratios):.2f} of {rounds} "
        f"rounds ({min(ratios):.2f} to {max(ratios):.2f}); gradients of "
        f"{gradient / 1e6:.1f} MB a step"
    )


def main(_) -> None:
    options = flags.FLAGS
    if options.worker:
        train(options.worker, Path(options.root), Path(options.out))
        return
    for case, (size_wh, *_rest) in CASES.items():
        with tempfile.TemporaryDirectory() as root:
            write_photos(Path(root), size_wh)
            compare(case, Path(root), options.rounds)


if __name__ == "__main__":
    flags.DEFINE_integer("rounds", 5, "Turns of each side.", lower_bound=1)
    flags.DEFINE_enum("worker", None, list(CASES), "Used by the benchmark itself.")
    flags.DEFINE_string("root", "", "Of a worker.")
    flags.DEFINE_string("out", "", "Of a worker.")
    app.run(main)
