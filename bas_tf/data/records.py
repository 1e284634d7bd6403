"""The one record type that every source yields."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import numpy as np
from PIL import Image

from bas_tf.errors import DataError

__all__ = ["DataError", "OnFault", "Record", "RecordImage", "Source", "raise_fault"]

OnFault = Callable[[DataError], None]


def raise_fault(error: DataError) -> NoReturn:
    """Ends the reading of a data set at its first fault; `check_data` collects them."""
    raise error


class RecordImage(Protocol):
    """An image that is read when asked for; all raise DataError where it cannot be."""

    def decode(self) -> Image.Image:
        """The upright picture, mode RGB."""
        ...

    def read_size_wh(self) -> tuple[int, int]:
        """Its width and height; the header of a stored image is enough to tell."""
        ...

    def encode(self) -> tuple[bytes, bool]:
        """A readable file's content, and whether EXIF still has to turn it."""
        ...


@dataclasses.dataclass(frozen=True)
class Record:
    """One labelled image, read only when asked for.

    Attributes:
      image_id: path relative to the source's root, or a name of the same form.
      label: class id in [0, classes).
      other_labels: ids of further classes in the image, where a source knows them.
      image: the picture; see `bas_tf/data/images.py`.
      boxes_original: float32 [n, 4] true boxes x0, y0, x1, y1, half-open, in pixels
        of the upright original image, as they were given: some may be empty or
        inverted. None when unknown. Evaluation only.
      load_mask: returns uint8 [height, width]: 0 background, 255 object, 128 ignore;
        None when there is no mask. Evaluation only.
      load_class_mask: returns uint8 [height, width]: 0 background, k + 1 class k, 255
        ignore; None when there is none. Evaluation only.
    """

    image_id: str
    label: int
    image: RecordImage
    boxes_original: np.ndarray | None = None
    load_mask: Callable[[], np.ndarray] | None = None
    other_labels: tuple[int, ...] = ()
    load_class_mask: Callable[[], np.ndarray] | None = None

    @property
    def labels(self) -> tuple[int, ...]:
        """All classes in the image."""
        return (self.label, *self.other_labels)

    def load_image(self) -> np.ndarray:
        """The upright image, RGB uint8 [height, width, 3].

        Raises:
          DataError: it cannot be read.
        """
        return np.asarray(self.image.decode())


class Source(Protocol):
    """Where labelled images come from.

    Attributes:
      class_names: in the order of their labels.
      splits: names that `records` may be asked for.
    """

    class_names: tuple[str, ...]
    splits: tuple[str, ...]

    def records(self, split: str) -> Sequence[Record]:
        """All records of a split in a fixed order.

        Raises:
          DataError: the source has no such split.
        """
        ...
