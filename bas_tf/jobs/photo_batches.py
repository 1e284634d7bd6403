"""Photos in batches of bounded memory, decoded ahead of their use."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from absl import logging

from bas_tf.data.images import READERS
from bas_tf.errors import DataError, UserError, one_line

BATCH = 16  # photos at most
_BATCH_PIXELS = 25_000_000  # decoded photos of a batch; 75 MB

Photo, Work, Result = TypeVar("Photo"), TypeVar("Work"), TypeVar("Result")
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


def results_one_ahead(
    function: Callable[[Work], Result], batches: Iterable[Work]
) -> Iterator[tuple[Work, Result]]:
    """Each batch and its result, while a thread is at that of the next batch."""
    with ThreadPoolExecutor(1) as pool:
        work = ((batch, pool.submit(function, batch)) for batch in batches)
        for batch, future in begun_ahead(work, 1):
            yield batch, future.result()


def run_one_batch_behind(batches: Iterable[Iterable[Callable]]) -> None:
    """Runs a batch's calls in threads while the next is made; no more are in memory."""
    before = []
    with ThreadPoolExecutor(READERS) as pool:
        for calls in itertools.chain(batches, [[]]):
            running = [pool.submit(call) for call in calls]
            for future in before:
                future.result()
            before = running


def log_skipped(faults: Sequence[str], num_photos: int) -> None:
    """Logs a line for each photo skipped; UserError where none is left."""
    if len(faults) == num_photos:
        raise UserError(f"none of {num_photos} photos can be read; {faults[0]}")
    for fault in faults:
        logging.error("skipped %s", fault)
