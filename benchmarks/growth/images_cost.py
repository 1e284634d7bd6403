"""Input pipeline and judge on many images; a side of `method_speed.turns`."""

import itertools
from collections.abc import Callable

import numpy as np
from PIL import Image

from bas_tf.data import pipeline
from bas_tf.data.records import Record
from bas_tf.evaluators import bas_protocol
from bas_tf.evaluators.ground_truth import load_ground_truth
from bas_tf.evaluators.predictions import Predictions
from benchmarks.method_speed import ours

CLASSES, BATCH, BATCHES = 1000, 32, 100
TINY, RESIZE, CROP, GRID = (40, 30), (32, 32), (28, 28), 28


class TinyImage:
    """One picture for all records: what is timed is not the decoder."""

    _picture = Image.new("RGB", TINY, (90, 120, 60))

    def decode(self) -> Image.Image:
        return self._picture

    def read_size_wh(self) -> tuple[int, int]:
        return TINY


def build(*, task: str, images: int, threads: int) -> dict[str, Callable[[], None]]:
    """{task: what it runs}.

    Args:
      task: "first_batch" of an epoch, "batches" that follow, or "judge".
      images: of the split.
      threads: that TensorFlow may use.
    """
    ours.use_threads(threads)
    return {task: judging(images) if task == "judge" else reading(task, images)}


def make_records(count: int) -> list[Record]:
    """Records whose image is `TinyImage`, each with a true box."""
    image, box = TinyImage(), np.array([[8, 6, 32, 24]], np.float32)
    return [
        Record(f"train/{i % CLASSES:04d}/{i}.jpg", i % CLASSES, image, box)
        for i in range(count)
    ]


def reading(task: str, count: int) -> Callable[[], None]:
    """The start of an epoch until its first batch, or its first `BATCHES`, repeated."""
    images = pipeline.TrainingImages(
        make_records(count), resize_size_wh=RESIZE, keep=False
    )
    batches = 1 if task == "first_batch" else BATCHES
    epochs = itertools.count()

    def read() -> None:
        found = 0
        while found < batches:  # a short epoch is followed by the next one
            dataset = pipeline.train_batches(
                images, crop_size_wh=CROP, batch_size=BATCH, seed=0, epoch=next(epochs)
            )
            found += sum(1 for _ in dataset.take(batches - found))

    return read


def judging(count: int) -> Callable[[], None]:
    """The judge on predictions of a network that is right two times of three."""
    rng, records = np.random.default_rng(0), make_records(count)
    truth = load_ground_truth(records, resize_size_wh=RESIZE, crop_size_wh=CROP)
    labels = np.array([record.label for record in records])
    ranked = (labels[:, np.newaxis] + np.arange(5)) % CLASSES
    ranked[::3] += 1
    low = rng.integers(0, 12, [count, 2])
    predictions = Predictions(
        labels=labels,
        class_ids=(ranked % CLASSES).astype(np.int32),
        scores=rng.random(count, np.float32),
        maps=rng.random([count, GRID, GRID], np.float32),
        boxes=np.concatenate([low, low + 14], axis=1).astype(np.float32),
        degenerate=np.zeros(count, bool),
        cams=rng.random([count, GRID // 2, GRID // 2], np.float32),
        num_classes=CLASSES,
    )

    def judge() -> None:
        bas_protocol.evaluate_predictions(
            predictions, truth, records=records, score_threshold=0.15
        )

    return judge
