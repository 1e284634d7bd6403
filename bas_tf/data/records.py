"""The one record type that every source yields."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from bas_tf.errors import DataError

__all__ = ["DataError", "Record", "Source"]


@dataclasses.dataclass(frozen=True)
class Record:
    """One labelled image, read only when asked for.

    Attributes:
      image_id: path relative to the source's root, or a name of the same form.
      label: class id in [0, classes).
      load_image: returns the upright image, RGB uint8 [height, width, 3]; raises
        DataError when the file cannot be read.
      boxes_original: float32 [n, 4] true boxes x0, y0, x1, y1, half-open, in pixels
        of the upright original image; None when unknown. Evaluation only.
      load_mask: returns uint8 [height, width]: 0 background, 255 object, 128 ignore;
        None when there is no mask. Evaluation only.
    """

    image_id: str
    label: int
    load_image: Callable[[], np.ndarray]
    boxes_original: np.ndarray | None = None
    load_mask: Callable[[], np.ndarray] | None = None


class Source(Protocol):
    """Where labelled images come from."""

    class_names: tuple[str, ...]

    def records(self, split: str) -> Sequence[Record]:
        """All records of a split in a fixed order.

        Raises:
          DataError: the source has no such split.
        """
        ...
