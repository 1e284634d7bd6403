"""Photos of files and folders, encoded so that the server sees them upright."""

import dataclasses
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import ExifTags, Image

from bas_tf.data import decode
from bas_tf.errors import UserError

_BIT_DEPTH_AT = 24  # the place in a PNG: 8 of signature, 8 of IHDR's head, 8 of size


@dataclasses.dataclass(frozen=True)
class Photo:
    """A file to be localized.

    Attributes:
      path: absolute, so that it means the same wherever the command is started.
      relative: its path inside the folder that was named, or its name.
    """

    path: Path
    relative: Path


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What is sent of a photo.

    Attributes:
      content: a JPEG or PNG.
      size_wh: of the upright photo.
    """

    content: bytes
    size_wh: tuple[int, int]


def find_photos(arguments: Sequence[str], *, output: Path) -> list[Photo]:
    """Files as they are named, folders' photos (by extension) sorted, each once.

    Links to folders are not followed.

    Args:
      arguments: files and folders.
      output: its files are no photos, wherever it lies.

    Raises:
      UserError: an argument is missing, a folder has no photo or cannot be read.
    """
    found: dict[Path, Photo] = {}
    for argument in arguments:
        path = Path(os.path.abspath(argument))
        if path.is_dir():
            photos = list(_photos_in(path, Path(os.path.abspath(output))))
            if not photos:
                endings = ", ".join(decode.EXTENSIONS)
                raise UserError(f"{argument}: no photo in it; looked for {endings}")
        elif path.exists():
            photos = [Photo(path, Path(path.name))]
        else:
            raise UserError(f"{argument}: no such file or folder")
        for photo in photos:
            found.setdefault(photo.path, photo)
    return list(found.values())


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


def _photos_in(folder: Path, output: Path) -> Iterator[Photo]:
    def stop(error: OSError):
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})")

    for place, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(f for f in folders if Path(place, f) != output)
        for name in sorted(files):
            if name.lower().endswith(decode.EXTENSIONS):
                path = Path(place, name)
                yield Photo(path, path.relative_to(folder))


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
