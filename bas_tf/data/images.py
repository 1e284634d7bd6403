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
    """The content of an image file, wherever it lies."""

    read: Callable[[], bytes]  # raises DataError when it cannot
    name: str  # what an error calls it
    upright: bool = True  # whether EXIF's orientation applies; see `decode`

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
    """An image that is made when asked for."""

    draw: Callable[[], np.ndarray]  # returns RGB uint8 [height, width, 3]
    size_wh: tuple[int, int]

    def decode(self) -> Image.Image:
        return Image.fromarray(self.draw())

    def read_size_wh(self) -> tuple[int, int]:
        return self.size_wh

    def encode(self) -> tuple[bytes, bool]:
        return png(self.draw()), False


def png(pixels: np.ndarray) -> bytes:
    """The file's content; nothing is lost."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
