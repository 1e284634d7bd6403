"""Objects from Pascal VOC XML files; ILSVRC's have the same form."""

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path, PurePosixPath

import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import ImageBoxes, stated_size, to_box
from bas_tf.data.listing import visible_entries
from bas_tf.data.records import DataError

_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclasses.dataclass(frozen=True)
class Objects:
    """What one file lists."""

    names: list[str]  # n class names, "" where a file has none
    corners: list[np.ndarray]  # n of float32 [4], xmin, ymin, xmax, ymax as written
    image_names: tuple[str, ...]  # its path, its folder and file name, as far as given
    size_wh: tuple[int, int] | None  # of the image, where it is stated


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses the declarations that entities come from, before they are read."""

    def doctype(self, name, pubid, system):
        raise DataError("has a DOCTYPE, which is not read")


def parse_objects(content: bytes, *, place: str) -> Objects:
    """The objects of one XML file without DOCTYPE; `place` is its name, for errors."""
    try:
        root = ElementTree.fromstring(
            content, ElementTree.XMLParser(target=_NoDoctype())
        )
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{place}: not valid XML ({error})") from error
    if root.tag != "annotation":
        raise DataError(f"{place}: starts with {root.tag!r}; expected 'annotation'")
    objects = root.findall("object")
    return Objects(
        names=[(entry.findtext("name") or "").strip() for entry in objects],
        corners=[
            to_box(
                f"{place}: object {i}",
                [entry.findtext(f"bndbox/{side}") for side in _SIDES],
            )
            for i, entry in enumerate(objects, start=1)
        ],
        image_names=_image_names(root),
        size_wh=stated_size(root.findtext("size/width"), root.findtext("size/height")),
    )


def _image_names(root: ElementTree.Element) -> tuple[str, ...]:
    path, folder, file = (
        (root.findtext(tag) or "").strip() for tag in ("path", "folder", "filename")
    )
    return tuple(filter(None, (path, file and f"{folder}/{file}".lstrip("/"))))


def read_objects(path: Path) -> Objects:
    """As `parse_objects`, of a file."""
    return parse_objects(decode.read_file(path), place=str(path))


def _xml_files(folder: Path) -> list[Path]:
    """Those below the folder, sorted."""
    found = []
    for name in visible_entries(folder):
        path = folder / name
        if path.is_dir():
            found += _xml_files(path)
        elif path.suffix.lower() == ".xml":
            found.append(path)
    return sorted(found)


def read_voc_boxes(folder: Path) -> list[ImageBoxes]:
    """The boxes of a folder of Pascal VOC files, one a photo.

    VOC counts pixels from 1 and its xmax is the last pixel of the object, so the
    half-open x0 is xmin - 1 and x1 is xmax. An inverted box stays as it is written; a
    corner of 0 is taken as 1 and is a slip.

    Returns:
      One entry for each file with objects. Its image is called by the file's path below
      the folder, without suffix, or else as the file itself names it.
    """
    entries = []
    for path in _xml_files(folder):
        objects = read_objects(path)
        if not objects.corners:
            continue
        below = path.relative_to(folder)
        name = below.with_suffix("").as_posix()
        slips = tuple(
            f"{PurePosixPath(folder.name, below)}: object {i} has the corners "
            f"{', '.join(f'{n:g}' for n in corners)}; Pascal VOC counts pixels from 1"
            for i, corners in enumerate(objects.corners, start=1)
            if (corners[:2] == 0).any()
        )
        entries.append(
            ImageBoxes(
                (name, *objects.image_names),
                np.stack([half_open(corners) for corners in objects.corners]),
                tuple(objects.names),
                objects.size_wh,
                slips,
            )
        )
    return entries


def half_open(corners: np.ndarray) -> np.ndarray:
    """VOC's corners as a half-open box: xmin and ymin move by one.

    But not so that an inverted box becomes a box.
    """
    if (corners[:2] > corners[2:]).any():
        return corners
    first = corners[:2]
    return np.concatenate([np.where(first == 0, 0, first - 1), corners[2:]])
