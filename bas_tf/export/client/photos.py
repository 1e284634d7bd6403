"""Photos of files and folders, encoded so that the server sees them upright."""

import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import ExifTags, Image

from bas_tf.data import decode, photo_files

_BIT_DEPTH_AT = 24  # the place in a PNG: 8 of signature, 8 of IHDR's head, 8 of size


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What is sent of a photo: a JPEG or PNG, and the size of the upright photo."""

    content: bytes
    size_wh: tuple[int, int]


def find_photos(arguments: Sequence[str], *, output: Path) -> dict[Path, Path]:
    """As `photo_files.find_photos`: {absolute path: its path inside the named folder}.

    A file that was named itself has its name as that.
    """
    found: dict[Path, Path] = {}
    for argument in map(os.path.abspath, arguments):
        for path in photo_files.find_photos([argument], output=output):
            inside = os.path.relpath(path, argument)
            found.setdefault(path, Path(path.name if inside == "." else inside))
    return found


def encoded(path: Path) -> Encoded:
    """The file's own bytes where the server reads them rightly, else upright PNG.

    TensorFlow's decoder neither turns a photo by its EXIF nor reads WebP, TIFF and
    AVIF; of transparency, CMYK and 16 bits it makes other pixels than `decode`.

    Raises:
      DataError: the file is missing or not a readable image.
    """
    content = decode.read_file(path)
    size_wh = decode.read_size(content, str(path))
    if not _needs_nothing(content):
        picture = decode.decode_picture(content, str(path))
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)  # sent once, not kept
        content = file.getvalue()
    return Encoded(content, size_wh)


def _needs_nothing(content: bytes) -> bool:
    """An upright, opaque JPEG or PNG of 8 bits, RGB or grey; its header was read."""
    with Image.open(io.BytesIO(content), formats=decode.FORMATS) as image:
        if image.format == "PNG" and content[_BIT_DEPTH_AT] != 8:
            return False
        return (
            image.format in ("JPEG", "MPO", "PNG")
            and image.mode in ("RGB", "L")
            and "transparency" not in image.info
            and image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        )
