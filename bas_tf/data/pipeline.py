"""Records to batches: deterministic, resumable at any epoch, nothing read twice.

A batch is read by one thread, several batches at a time: an image costs a call into
Python, its decoding and resizing run next to those of other threads. Decoding only the
part of a JPEG that a crop needs was slower than decoding all of it (a crop keeps three
quarters of the picture), so only resizing leaves out the rest.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.data import preprocess
from bas_tf.data.epoch_order import draw_labels, training_positions
from bas_tf.data.images import READERS
from bas_tf.data.preprocess import Size
from bas_tf.data.pseudo_masks import PseudoMasks
from bas_tf.data.records import DataError, Record


class ResizedImages:
    """The images of some records at the resize size, kept in memory when asked.

    Args:
      records: what to read.
      resize_size_wh: width and height that each image is resized to.
      keep: keep each resized image after its first use. 459 images of 256 x 256
        take 90 MB.
    """

    def __init__(self, records: Sequence[Record], *, resize_size_wh: Size, keep: bool):
        self.resize_size_wh = tuple(resize_size_wh)
        self._records, self._keep = records, keep
        self._kept: dict[int, np.ndarray] = {}
        self.error: DataError | None = None  # the first unreadable file met
        self.labels = np.asarray([record.label for record in records], np.int32)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8 [resize_h, resize_w, 3]; raises DataError naming a bad file."""
        if index in self._kept:
            return self._kept[index]
        with self._remembering_errors():
            image = self._resize(self._records[index])
        if self._keep:
            self._kept[index] = image
        return image

    def _resize(self, record: Record) -> np.ndarray:
        return preprocess.resize(record.load_image(), self.resize_size_wh)

    @contextlib.contextmanager
    def _remembering_errors(self) -> Iterator[None]:
        """Notes a DataError raised within it, for `reading`."""
        try:
            yield
        except DataError as error:
            self.error = self.error or error
            raise


class TrainingImages(ResizedImages):
    """As `ResizedImages`, resized by `preprocess.resize_for_training`.

    Args:
      masks: of some of the images, see `PseudoMasks`; None without any.
      num_classes: for batches with names.PRESENT; None for those without.
      **options: see `ResizedImages`.

    Attributes:
      present: uint8 [images, num_classes], 1 for the classes of each; None likewise.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        masks: PseudoMasks | None = None,
        num_classes: int | None = None,
        **options,
    ):
        super().__init__(records, **options)
        self.masks, self.present = masks, None
        if num_classes is not None:
            self.present = np.zeros([len(records), num_classes], np.uint8)
            for row, record in zip(self.present, records, strict=True):
                row[list(record.labels)] = 1
        self._kept_masks: dict[int, np.ndarray] = {}

    def crop_mask(self, index: int, offset: Size, crop_size_wh: Size) -> np.ndarray:
        """As `crop`, of an image's mask: uint8 [crop_h, crop_w]."""
        mask = self._kept_masks.get(index)
        if mask is None:
            with self._remembering_errors():
                mask = self.masks.load(index, self.resize_size_wh)
            if self._keep:
                self._kept_masks[index] = mask
        return preprocess.crop_at(mask, offset, crop_size_wh)

    def crop(self, index: int, offset: Size, crop_size_wh: Size) -> np.ndarray:
        """A crop of an image: uint8 [crop_h, crop_w, 3]; errors as of an item."""
        if self._keep:
            return preprocess.crop_at(self[index], offset, crop_size_wh)
        with self._remembering_errors():
            picture = self._records[index].image.decode()
        return preprocess.resize_and_crop(
            picture, self.resize_size_wh, offset, crop_size_wh
        )

    def _resize(self, record: Record) -> np.ndarray:
        picture = record.image.decode()
        return preprocess.resize_for_training(picture, self.resize_size_wh)


@contextlib.contextmanager
def reading(images: ResizedImages):
    """Inside tf.data a reader's error loses its type: this gives it back."""
    try:
        yield
    except tf.errors.OpError as error:
        raise images.error or error from None


def num_batches(images: ResizedImages, batch_size: int) -> int:
    """Whole training batches in an epoch; DataError where there is none."""
    if len(images) < batch_size:
        raise DataError(
            f"data.batch_size is {batch_size}, but there are {len(images)} images"
        )
    return len(images) // batch_size


def training_crop(
    images: TrainingImages, position: int, *, crop_size_wh: Size, seed: int, epoch: int
) -> np.ndarray:
    """An image as an epoch shows it, cropped and flipped: uint8 [crop_h, crop_w, 3].

    With masks the image's is the fourth channel. Errors as of an item of `images`.
    """
    rng = np.random.default_rng([seed, epoch, position])
    offset, mirrored = preprocess.random_offset_and_flip(
        images.resize_size_wh, crop_size_wh, rng
    )
    crop = images.crop(position, offset, crop_size_wh)
    if images.masks is not None:
        crop = np.dstack([crop, images.crop_mask(position, offset, crop_size_wh)])
    return crop[:, ::-1] if mirrored else crop


def train_batches(
    images: TrainingImages,
    *,
    crop_size_wh: Size,
    batch_size: int,
    seed: int,
    epoch: int,
    first_batch: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """One epoch of shuffled, cropped, flipped batches; the last partial one dropped.

    Order and augmentation depend on (seed, epoch, position) alone, so an epoch is the
    same whether or not the run was interrupted in it, and by how many it is read.

    Args:
      images: of the training split.
      crop_size_wh: width and height of a crop.
      batch_size: of all workers together.
      seed: of the run.
      epoch: from 0.
      first_batch: the batches before it are left out, and not read.
      worker: (which, of how many): it gets its share of every batch and reads nothing
        else. The number of workers divides batch_size.

    Returns:
      A dataset of {names.IMAGES: uint8 [batch, crop_h, crop_w, 3],
      names.LABELS: int32 [batch]}; with masks also names.MASKS, uint8
      [batch, crop_h, crop_w, 1], see `PseudoMasks`. Of images with several classes,
      names.PRESENT has them all, uint8 [batch, classes], and LABELS one, `draw_labels`.
    """
    batches = training_positions(
        len(images), batch_size=batch_size, seed=seed, epoch=epoch, worker=worker
    )[first_batch:]

    def load(position: int) -> np.ndarray:
        return training_crop(
            images, position, crop_size_wh=crop_size_wh, seed=seed, epoch=epoch
        )

    labels, present = images.labels, images.present
    if present is not None:
        labels = draw_labels(present, seed=seed, epoch=epoch)
        present = tf.constant(present)

    def as_trained(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        crops, masks = batch[names.IMAGES][..., :3], batch[names.IMAGES][..., 3:]
        found = {names.IMAGES: crops, names.LABELS: batch[names.LABELS]}
        if images.masks is not None:
            found[names.MASKS] = masks
        if present is not None:
            found[names.PRESENT] = tf.gather(present, batch[names.INDEX])
        return found

    channels = 3 if images.masks is None else 4
    dataset = _read_in_parallel(batches, load, (*crop_size_wh, channels), labels)
    return dataset.map(as_trained).prefetch(2)


def centre_crops(
    images: ResizedImages, positions: Sequence[int], *, crop_size_wh: Size
) -> np.ndarray:
    """Some images as evaluation sees them: uint8 [n, crop_h, crop_w, 3]."""
    return np.stack(
        [preprocess.centre_crop(images[i], crop_size_wh) for i in positions]
    )


def evaluation_batches(
    images: ResizedImages, *, crop_size_wh: Size, batch_size: int
) -> tf.data.Dataset:
    """Every image once, in order, centre-cropped, in batches of one size.

    That is `batch_size`, or all images where they are fewer.

    Returns:
      As `train_batches`, and names.INDEX, the position of each image in the records.
      The last batch is filled up with black images whose INDEX is
      names.PADDING.
    """
    batch_size = min(batch_size, max(len(images), 1))
    count = -(-len(images) // batch_size) * batch_size
    positions = np.arange(count, dtype=np.int64)
    positions[len(images) :] = names.PADDING

    def load(index: int) -> np.ndarray:
        return preprocess.centre_crop(images[index], crop_size_wh)

    batches = positions.reshape(-1, batch_size)
    dataset = _read_in_parallel(batches, load, (*crop_size_wh, 3), images.labels)
    return dataset.prefetch(2)


def _read_in_parallel(
    batches: np.ndarray,
    load: Callable[[int], np.ndarray],
    shape_whc: tuple[int, int, int],
    labels: np.ndarray,
) -> tf.data.Dataset:
    """Positions, int64 [batches, batch], to batches of images, labels and positions."""
    width, height, channels = shape_whc
    labels = tf.constant(labels)

    def load_batch(positions: np.ndarray) -> np.ndarray:
        crops = np.zeros([len(positions), height, width, channels], np.uint8)
        for crop, position in zip(crops, positions, strict=True):
            if position != names.PADDING:
                crop[:] = load(int(position))
        return crops

    def read(positions: tf.Tensor) -> dict[str, tf.Tensor]:
        crops = tf.numpy_function(load_batch, [positions], tf.uint8)
        return {
            names.IMAGES: tf.ensure_shape(
                crops, [batches.shape[1], height, width, channels]
            ),
            names.LABELS: tf.gather(labels, tf.maximum(positions, 0)),
            names.INDEX: positions,
        }

    dataset = tf.data.Dataset.from_tensor_slices(batches)
    options = tf.data.Options()
    # Nothing is tuned, and the tuner's thread keeps an epoch's end waiting.
    options.autotune.enabled = False
    return dataset.map(read, num_parallel_calls=READERS).with_options(options)
