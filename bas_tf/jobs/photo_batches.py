"""Photos in batches of bounded memory, decoded and predicted ahead of their use."""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from absl import logging

from bas_tf import names
from bas_tf.data import preprocess
from bas_tf.data.images import READERS, in_parallel
from bas_tf.errors import DataError, UserError, one_line
from bas_tf.geometry.frames import Size
from bas_tf.runners import Runner

BATCH = 16  # photos at most
_BATCH_PIXELS = 25_000_000  # decoded photos of a batch; 75 MB

Photo, Work = TypeVar("Photo"), TypeVar("Work")
Pixels = np.ndarray  # uint8 [height, width, 3]


def read_batches(
    photos: Iterable[Photo],
    read: Callable[[Photo], Pixels],
    faults: list[str] | None = None,
) -> Iterator[list[tuple[Photo, Pixels]]]:
    """Photos and their pixels, in order.

    Args:
      photos: what `read` takes.
      read: called by several threads.
      faults: gets a line for each photo that cannot be read, which is left out; None
        raises its DataError.
    """
    batch, pixels = [], 0
    for photo, decoded in _decoded(photos, read, faults):
        batch.append((photo, decoded))
        pixels += decoded.shape[0] * decoded.shape[1]
        if len(batch) == BATCH or pixels > _BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _decoded(photos, read, faults) -> Iterator[tuple[Photo, Pixels]]:
    with ThreadPoolExecutor(READERS) as pool:
        work = ((photo, pool.submit(read, photo)) for photo in photos)
        for photo, future in begun_ahead(work, READERS + 1):
            try:
                yield photo, future.result()
            except DataError as error:
                if faults is None:
                    raise
                faults.append(one_line(error))


def begun_ahead(work: Iterable[Work], count: int) -> Iterator[Work]:
    """Each item, in order, once `count` more have been begun by taking them."""
    waiting = collections.deque()
    for each in work:
        waiting.append(each)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def predict_ahead(
    batches: Iterable[Sequence[tuple[Photo, Pixels]]],
    runner: Runner,
    labels: Mapping[Photo, int] | None,
) -> Iterator[tuple[Photo, Pixels, dict[str, Any], Size]]:
    """Each photo with its outputs and the size in which it was sent.

    While the photos of a batch are used, a thread predicts the next one. The network
    gets photos resized to the size it was trained at, in one batch; a file of an older
    version that takes any size, and does not say, gets each as it is. With labels,
    outputs are theirs, by `Runner.label_fn`.
    """
    with ThreadPoolExecutor(1) as pool:
        work = (pool.submit(_predict, batch, runner, labels) for batch in batches)
        for future in begun_ahead(work, 1):
            yield from future.result()


def _predict(batch, runner: Runner, labels) -> list[tuple]:
    size_wh = runner.input_size_wh or runner.trained_size_wh
    if size_wh is None and len(batch) > 1:
        return [found for each in batch for found in _predict([each], runner, labels)]
    sent = [pixels for _, pixels in batch]
    if size_wh is not None:
        sent = in_parallel(lambda pixels: preprocess.resize(pixels, size_wh), sent)
    images = np.stack(sent)
    if labels:
        ids = np.array([labels[photo] for photo, _ in batch])
        outputs = names.as_prediction(runner.label_fn(images, ids))
    else:
        outputs = runner.predict_fn(images)
    size = images.shape[2:0:-1]
    return [
        (photo, pixels, {key: value[i] for key, value in outputs.items()}, size)
        for i, (photo, pixels) in enumerate(batch)
    ]


def run_in_threads(calls: Iterable[Callable]) -> None:
    """Runs calls while the next are made, which wait so that few are in memory."""
    with ThreadPoolExecutor(READERS) as pool:
        for future in begun_ahead(map(pool.submit, calls), READERS):
            future.result()


def log_skipped(faults: Sequence[str], num_photos: int) -> None:
    """Logs a line for each photo skipped; UserError where none is left."""
    if len(faults) == num_photos:
        raise UserError(f"none of {num_photos} photos can be read; {faults[0]}")
    for fault in faults:
        logging.error("skipped %s", fault)
