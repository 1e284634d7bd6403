"""A crop of each object, upright: crops/[<split>/]<class>/<photo>[_2].jpg.

These are class folders, as trainers of classifiers read them, ours among them. Other
folders above a photo become part of the crop's name.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from absl import logging

from bas_tf import files
from bas_tf.annotation.data_set import SPLITS, DataSet, Object, Photo, warn_of_leftovers
from bas_tf.data import decode
from bas_tf.errors import DataError
from bas_tf.report import pictures

FOLDER, MARGIN = "crops", 0.1
_JPEG_QUALITY = 95


def write(data: DataSet, output: Path) -> None:
    """Writes the crops of new or changed photos; where nothing was found is none.

    A crop made with another margin has another size, and is made again.
    """
    empty, written = 0, set()
    for photo, named in _names(data):
        empty += not named
        regions = {
            output / FOLDER / name: region(found.box, photo.size_wh, data.margin)
            for name, found in named.items()
        }
        missing = {
            path: (x0, y0, x1, y1)
            for path, (x0, y0, x1, y1) in regions.items()
            if not files.is_up_to_date(path, data.root / photo.name)
            or _size_of(path) != (x1 - x0, y1 - y0)
        }
        pixels = _pixels(photo, data.root) if missing else None
        for path, (x0, y0, x1, y1) in missing.items():
            content = pictures.encode_image(
                pixels[y0:y1, x0:x1], path.suffix, jpeg_quality=_JPEG_QUALITY
            )
            files.write_file(path, content)
        written |= regions.keys()
    warn_of_leftovers(output / FOLDER, written)
    if empty:
        logging.warning("photos without a crop, nothing was found in them: %d", empty)


def region(
    box: tuple[float, float, float, float], size_wh: tuple[int, int], margin: float
) -> tuple[int, int, int, int]:
    """A box grown on each side by this share of its width or height.

    Returns:
      x0, y0, x1, y1, half-open, whole pixels of the photo; not empty.
    """
    low, high = np.array(box[:2]), np.array(box[2:])
    grown = margin * (high - low)
    low = np.clip(np.rint(low - grown), 0, np.subtract(size_wh, 1)).astype(int)
    high = np.clip(np.rint(high + grown), low + 1, size_wh).astype(int)
    return *low.tolist(), *high.tolist()


def _names(data: DataSet) -> Iterator[tuple[Photo, dict[str, Object]]]:
    """Photos with their crops' names below FOLDER, different in more than case."""
    folders, taken = {}, set()
    for label in data.class_names:  # one of some public sets has a "/"
        folders[label] = files.unused_name(label.replace("/", "_"), "", taken)
        taken.add(folders[label].casefold())
    for photo in data.photos():
        *above, last = PurePosixPath(photo.stem).parts
        split = [above.pop(0)] if above and above[0] in SPLITS else []
        ending = ".png" if photo.name.lower().endswith(".png") else ".jpg"
        named = {}
        for found in photo.objects:
            if found.degenerate:
                continue
            stem = "_".join([*(f for f in above if f != found.label), last])
            path = "/".join([*split, folders[found.label], stem])
            name = files.unused_name(path, ending, taken)
            taken.add(name.casefold())
            named[name] = found
        yield photo, named


def _pixels(photo: Photo, root: Path) -> np.ndarray:
    path = root / photo.name
    pixels = decode.decode_image(path)
    if pixels.shape[1::-1] != photo.size_wh:
        raise DataError(
            f"{path}: is {pixels.shape[1]} x {pixels.shape[0]} pixels, was "
            f"{photo.size_wh[0]} x {photo.size_wh[1]} when it was annotated; use "
            "another --output"
        )
    return pixels


def _size_of(path: Path) -> tuple[int, int]:
    return decode.read_size(decode.read_file(path), str(path))
