"""Records to batches: deterministic, resumable at any epoch, nothing read twice."""

import contextlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.data import preprocess
from bas_tf.data.records import DataError, Record

PARALLEL_READS = 2


class ResizedImages:
    """The images of some records at the resize size, kept in memory when asked.

    Args:
      records: what to read.
      resize_size_wh: width and height that each image is resized to.
      keep: keep each resized image after its first use. 459 images of 256 x 256
        take 90 MB.
    """

    def __init__(
        self, records: Sequence[Record], *, resize_size_wh: tuple[int, int], keep: bool
    ):
        self._records, self._size, self._keep = records, tuple(resize_size_wh), keep
        self._kept: dict[int, np.ndarray] = {}
        self.error: DataError | None = None  # the first unreadable file met
        self.labels = np.asarray([record.label for record in records], np.int32)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 [resize_h, resize_w, 3]; raises DataError naming a bad file."""
        if index in self._kept:
            return self._kept[index]
        try:
            image = preprocess.resize(self._records[index].load_image(), self._size)
        except DataError as error:
            self.error = self.error or error
            raise
        if self._keep:
            self._kept[index] = image
        return image


@contextlib.contextmanager
def reading(images: ResizedImages):
    """Inside tf.data a reader's error loses its type: this gives it back."""
    try:
        yield
    except tf.errors.OpError as error:
        raise images.error or error from None


def num_batches(images: ResizedImages, batch_size: int) -> int:
    """Whole training batches in an epoch.

    Raises:
      DataError: fewer images than one batch.
    """
    if len(images) < batch_size:
        raise DataError(
            f"data.batch_size is {batch_size}, but there are {len(images)} images"
        )
    return len(images) // batch_size


def train_batches(
    images: ResizedImages,
    *,
    crop_size_wh: tuple[int, int],
    batch_size: int,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """One epoch of shuffled, cropped, flipped batches; the last partial one dropped.

    Order and augmentation depend on (seed, epoch, position) alone, so an epoch is
    the same whether or not the run was interrupted before it.

    Returns:
      A dataset of {names.IMAGES: uint8 [batch, crop_h, crop_w, 3],
      names.LABELS: int32 [batch]}.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(images))

    def load(index: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, epoch, int(index)])
        crop = preprocess.random_crop_and_flip(images[int(index)], crop_size_wh, rng)
        return np.ascontiguousarray(crop)

    dataset = tf.data.Dataset.from_tensor_slices(order)
    dataset = _load_in_parallel(dataset, load, crop_size_wh, images.labels)
    dataset = dataset.map(lambda example: _without(example, names.INDEX))
    return dataset.batch(batch_size, drop_remainder=True).prefetch(2)


def centre_crops(
    images: ResizedImages, positions: Sequence[int], *, crop_size_wh: tuple[int, int]
) -> np.ndarray:
    """Some images as evaluation sees them: uint8 [n, crop_h, crop_w, 3]."""
    return np.stack(
        [preprocess.centre_crop(images[i], crop_size_wh) for i in positions]
    )


def evaluation_batches(
    images: ResizedImages, *, crop_size_wh: tuple[int, int], batch_size: int
) -> tf.data.Dataset:
    """Every image once, in order, centre-cropped; the last batch may be smaller.

    Returns:
      As `train_batches`, and names.INDEX, the position of each image in the records.
    """

    def load(index: np.ndarray) -> np.ndarray:
        crop = preprocess.centre_crop(images[int(index)], crop_size_wh)
        return np.ascontiguousarray(crop)

    dataset = tf.data.Dataset.range(len(images))
    dataset = _load_in_parallel(dataset, load, crop_size_wh, images.labels)
    return dataset.batch(batch_size).prefetch(2)


def _load_in_parallel(dataset, load, crop_size_wh, labels) -> tf.data.Dataset:
    """Maps positions to examples through a Python reader."""
    width, height = crop_size_wh
    labels = tf.constant(labels)

    def example(index):
        image = tf.numpy_function(load, [index], tf.uint8)
        return {
            names.IMAGES: tf.ensure_shape(image, [height, width, 3]),
            names.LABELS: labels[index],
            names.INDEX: tf.cast(index, tf.int64),
        }

    return dataset.map(example, num_parallel_calls=PARALLEL_READS)


def _without(example: dict, key: str) -> dict:
    return {k: v for k, v in example.items() if k != key}
