"""One training batch as a TensorFlow op that another process can put into a graph.

The graph holds the op and a request, a few numbers; the process that runs the graph
holds the images. `tf.numpy_function` cannot do that: it gives a function a name of its
own choice, which is known in the process that made the graph and in no other.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bas_tf.data import pipeline
from bas_tf.data.images import READERS
from bas_tf.data.records import DataError
from bas_tf.errors import one_line

# Both sides must mean the same: another number when Request or the answer changes.
TOKEN = "bas_tf_training_batch_1"


class Request(NamedTuple):
    """Which batch: the arguments of `pipeline.train_batches`, and its number."""

    crop_width: int
    crop_height: int
    batch_size: int
    seed: int
    epoch: int
    worker: int
    workers: int
    number: int = 0


class BatchReader:
    """Reads any one batch; the images of a batch beside each other.

    Attributes:
      fingerprint: of the images.

    Args:
      images: of the training split.
    """

    def __init__(self, images: pipeline.TrainingImages):
        self._images = images
        self.fingerprint = images.fingerprint()
        self._pool = ThreadPoolExecutor(READERS)
        # A permutation of a million images takes as long as reading ten of them.
        self._positions = functools.lru_cache(maxsize=4)(
            functools.partial(pipeline.training_positions, len(images))
        )

    def positions(self, request: Request) -> np.ndarray:
        """int64 [batches, batch / workers], see `pipeline.training_positions`."""
        return self._positions(
            batch_size=request.batch_size,
            seed=request.seed,
            epoch=request.epoch,
            worker=(request.worker, request.workers),
        )

    def read(self, request: Request) -> np.ndarray:
        """uint8 [batch / workers, crop_h, crop_w, 3].

        Raises:
          DataError: a bad file; the error names it.
        """
        load = functools.partial(
            pipeline.training_crop,
            self._images,
            crop_size_wh=(request.crop_width, request.crop_height),
            seed=request.seed,
            epoch=request.epoch,
        )
        positions = self.positions(request)[request.number]
        return np.stack(list(self._pool.map(load, positions.tolist())))

    def __call__(
        self, request: np.ndarray, fingerprint: bytes
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the op runs.

        Args:
          request: int64 [fields], a `Request`.
          fingerprint: of the images that the other process means.

        Returns:
          The batch and b"", or no images and the user's mistake, in words: an
          exception would lose its type on the way, and would end all other batches.
        """
        nothing = np.zeros([0, 0, 0, 3], np.uint8)
        if fingerprint.decode() != self.fingerprint:
            return nothing, _told(
                f"data.service has {self.fingerprint}, the training has "
                f"{fingerprint.decode()}: give both the same files and config.data"
            )
        try:
            return self.read(Request(*request.tolist())), _told("")
        except DataError as error:
            return nothing, _told(one_line(error))


def register(reader: BatchReader) -> None:
    """Makes `batch_op` read with `reader` in every graph that this process runs.

    The caller keeps the reader; the registry does not.
    """
    # There is no public way to a function under a name that is known beforehand.
    from tensorflow.python.ops import script_ops

    script_ops._py_funcs._funcs[TOKEN] = reader


def batch_op(
    request: Request, number: tf.Tensor, fingerprint: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """The op; whoever runs it has called `register`.

    Args:
      request: all but the number.
      number: int64 [], of the batch in the epoch.
      fingerprint: of the images that are meant.

    Returns:
      uint8 [batch / workers, crop_h, crop_w, 3] and a string [], see `BatchReader`.
    """
    fields = [tf.constant(field, tf.int64) for field in request._replace(number=0)]
    fields[Request._fields.index("number")] = number
    crops, mistake = tf.raw_ops.PyFunc(
        input=[tf.stack(fields), tf.constant(fingerprint)],
        token=TOKEN,
        Tout=[tf.uint8, tf.string],
    )
    return tf.ensure_shape(crops, [None, None, None, 3]), tf.ensure_shape(mistake, [])


def _told(mistake: str) -> np.ndarray:
    return np.asarray(mistake.encode(errors="replace"), object)
