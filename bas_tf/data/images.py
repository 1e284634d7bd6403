"""Images of records: stored in a file's form, or drawn."""

import dataclasses
import functools
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from bas_tf.data import decode

READERS = min(os.cpu_count() or 1, 16)  # threads that read images at a time


def in_parallel(function: Callable, *arguments: Sequence) -> list:
    """As a list of `map`, in threads: OpenCV and Pillow do not hold Python's lock."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(function, *arguments))


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """The content of an image file, wherever it lies.

    Attributes:
      read: returns the content; raises DataError when it cannot.
      name: what an error calls it.
      upright: whether EXIF's orientation applies; see `decode.decode_picture`.
    """

    read: Callable[[], bytes]
    name: str
    upright: bool = True

    def decode(self) -> Image.Image:
        return decode.decode_picture(self.read(), self.name, upright=self.upright)

    def read_size_wh(self) -> tuple[int, int]:
        return decode.read_size(self.read(), self.name, upright=self.upright)

    def encode(self) -> tuple[bytes, bool]:
        content = self.read()
        decode.decode_picture(content, self.name)  # nothing unreadable is passed on
        return content, self.upright


def image_file(path: str | Path, *, upright: bool = True) -> StoredImage:
    """The image of a file."""
    return StoredImage(functools.partial(decode.read_file, path), str(path), upright)


@dataclasses.dataclass(frozen=True)
class DrawnImage:
    """An image that is made when asked for.

    Attributes:
      draw: returns RGB uint8 [height, width, 3].
      size_wh: width and height of what it returns.
    """

    draw: Callable[[], np.ndarray]
    size_wh: tuple[int, int]

    def decode(self) -> Image.Image:
        return Image.fromarray(self.draw())

    def read_size_wh(self) -> tuple[int, int]:
        return self.size_wh

    def encode(self) -> tuple[bytes, bool]:
        """As PNG: nothing is lost."""
        content = io.BytesIO()
        self.decode().save(content, "PNG")
        return content.getvalue(), False
