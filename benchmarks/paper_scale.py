r"""A dry run at the paper's scale, and whether memory grows.

  python -m benchmarks.paper_scale           (about 10 minutes and 20 GiB)

1. `configs/ilsvrc_resnet50.py` on a generated ILSVRC folder (1,000 synsets of 3 JPEGs),
   two worker processes of this machine, `--steps` steps from fresh weights: seconds a
   step, images per second, peak memory of each worker, and from the operations of a
   step the days that the paper's 9 epochs would take on eight GPUs.
2. The quick demo's network for 270 steps, in one epoch and in 45: resident memory
   after each step, and its slope.

Both are the real command, watched from outside; the first is ended by SIGTERM.
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from absl import app, flags
from PIL import Image

from bas_tf.data.synthetic import draw_example
from export.timed_artifact import peak_memory

SYNSETS, EACH, PHOTO = 1000, 3, (500, 375)
TRAIN_IMAGES, EPOCHS, GPUS = 1_281_167, 9, 8
# A published figure: NVIDIA's ResNet50 v1.5 in float32 on one V100, images per second
# of plain training, which is three times 8.2 GFLOP an image.
GPU_FLOPS = 360 * 3 * 8.2e9
SCALING = 0.9  # of eight GPUs, assumed


def write_ilsvrc(root: Path) -> None:
    """root/train/<synset>/*.JPEG; 16 drawings with 8 noises."""
    drawn = [
        draw_example(seed=0, split="train", index=i, image_size=PHOTO).image
        for i in range(16)
    ]
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, [8, *drawn[0].shape])
    for synset in range(SYNSETS):
        folder = root / "train" / f"n{synset:08d}"
        folder.mkdir(parents=True)
        for i in range(EACH):
            number = synset * EACH + i
            pixels = np.clip(drawn[number % 16] + noise[number % 8], 0, 255)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / f"{folder.name}_{i}.JPEG", quality=90)


def start_training(*args) -> subprocess.Popen:
    command = [sys.executable, "-m", "bas_tf.train", *map(str, args)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def log_of(workdir: Path) -> list[str]:
    path = workdir / "metrics.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def watch(process: subprocess.Popen, workdir: Path, steps: int, on_step) -> None:
    """Calls on_step() right after each step is logged, until there are `steps`."""
    seen = 0
    while seen < steps:
        if process.poll() is not None:
            raise RuntimeError(f"ended after {seen} steps with {process.returncode}")
        lines = len(log_of(workdir))
        if lines > seen:
            seen = lines
            on_step()
        time.sleep(0.02)


def dry_run(folder: Path, steps: int, batch: int) -> None:
    root, workdir = folder / "ilsvrc", folder / "run"
    write_ilsvrc(root)
    launcher = start_training(
        "--config=configs/ilsvrc_resnet50.py", f"--config.data.root={root}",
        "--config.model.weights=", f"--config.data.batch_size={batch}",
        "--config.train.log_every_steps=1", "--local_workers=2",
        f"--workdir={workdir}",
    )  # fmt: skip
    times, peaks = [], {}

    def on_step():
        times.append(time.perf_counter())
        for i, child in enumerate(psutil.Process(launcher.pid).children()):
            peaks[i] = peak_memory(child.pid)

    try:
        watch(launcher, workdir, steps, on_step)
    finally:
        launcher.send_signal(signal.SIGTERM)
        launcher.wait()
    loss = json.loads(log_of(workdir)[-1])["loss"]
    second = statistics.median(np.diff(times))
    print(
        f"{SYNSETS} classes, {SYNSETS * EACH} JPEGs, ResNet50, batches of {batch} over "
        f"two workers, {len(times)} steps, last loss {loss:.3f}, exit code "
        f"{launcher.returncode} after SIGTERM"
    )
    print(f"median step {second:.1f} s, {batch / second:.2f} images per second")
    for i, peak in peaks.items():
        print(f"worker {i}: peak {peak / 2**30:.2f} GiB")


def estimate() -> None:
    """The paper's training on paper: operations an image over those of a GPU."""
    flops = flops_per_image()
    speed = GPUS * GPU_FLOPS * SCALING / flops
    days = EPOCHS * TRAIN_IMAGES / speed / 86400
    print(
        f"{flops / 1e9:.1f} GFLOP an image and step; at {GPU_FLOPS / 1e12:.1f} TFLOP/s "
        f"a GPU and {SCALING:.0%} scaling, {GPUS} GPUs take {speed:.0f} images per "
        f"second: {EPOCHS} epochs of {TRAIN_IMAGES:,} images are {days:.1f} days"
    )


def flops_per_image(batch: int = 2) -> float:
    """Of the losses and gradients, as TensorFlow counts its graph's operations."""
    import tensorflow as tf
    from tensorflow.python.profiler import model_analyzer
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    from bas_tf import experiment, losses
    from bas_tf.training.step import bas_terms
    from configs import ilsvrc_resnet50

    config = ilsvrc_resnet50.get_config()
    config.model.weights = ""
    localizer = experiment.build_model(config, SYNSETS)

    @tf.function(autograph=False)
    def step(images, labels):
        with tf.GradientTape() as tape:
            terms = bas_terms(localizer, images, labels, background_wins="zero")
            loss = tf.reduce_sum(losses.weighted_sum(terms, alpha=1.0, beta=2.0))
        return tape.gradient(loss, localizer.trainable_variables)

    width, height = config.data.crop_size
    graph = step.get_concrete_function(
        tf.TensorSpec([batch, height, width, 3], tf.uint8),
        tf.TensorSpec([batch], tf.int32),
    ).graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation())
    options = options.with_empty_output().build()
    return model_analyzer.profile(graph, options=options).total_float_ops / batch


def memory_slope(folder: Path, epochs: int, steps: int = 270, settled: int = 70):
    """Epochs have a cost of their own: data set, checkpoint, pictures."""
    workdir, memory = folder / f"quick{epochs}", []
    training = start_training(
        "--config=configs/demo.py:quicktest", f"--config.train.epochs={epochs}",
        "--config.data.cache=False",
        f"--config.data.num_images.train={16 * steps // epochs}",
        f"--workdir={workdir}",
    )  # fmt: skip
    process = psutil.Process(training.pid)
    try:
        watch(
            training, workdir, steps, lambda: memory.append(process.memory_info().rss)
        )
    finally:
        training.kill()
        training.wait()
    rest = np.array(memory[len(memory) * settled // steps :])
    slope, start = np.polyfit(np.arange(len(rest)), rest, 1)
    print(
        f"{steps - settled} steps after the first {settled} of a small model, {epochs} "
        f"epoch(s) in all: resident memory {start / 2**20:.0f} MiB, slope "
        f"{slope / 2**10:.2f} KiB a step (range {np.ptp(rest) / 2**20:.1f} MiB, "
        f"{len(rest)} samples)"
    )


def main(_) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for epochs in (1, 45):
            memory_slope(Path(folder), epochs)
        dry_run(Path(folder), flags.FLAGS.steps, flags.FLAGS.batch)
        estimate()


if __name__ == "__main__":
    flags.DEFINE_integer("steps", 20, "Of the dry run.", lower_bound=3)
    flags.DEFINE_integer("batch", 32, "Of both workers; the paper's is 128.")
    app.run(main)
