"""Objects from Pascal VOC XML files; ILSVRC's have the same form."""

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from bas_tf.data.annotation_files import group_boxes, to_box
from bas_tf.data.records import DataError

_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclasses.dataclass(frozen=True)
class Objects:
    """What one file lists.

    Attributes:
      names: n class names, "" where a file has none.
      corners: n arrays float32 [4], xmin, ymin, xmax, ymax as written.
    """

    names: list[str]
    corners: list[np.ndarray]


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses the declarations that entities come from, before they are read."""

    def doctype(self, name, pubid, system):
        raise DataError("has a DOCTYPE, which is not read")


def parse_objects(content: bytes, *, place: str) -> Objects:
    """The objects of one XML file.

    Args:
      content: the file.
      place: its name, for errors.

    Raises:
      DataError: not XML, a DOCTYPE in it, no `annotation`, or an object whose box is
        not four finite numbers.
    """
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
            _corners(f"{place}: object {i}", entry)
            for i, entry in enumerate(objects, start=1)
        ],
    )


def _corners(place: str, entry: ElementTree.Element) -> np.ndarray:
    return to_box(place, [entry.findtext(f"bndbox/{side}") for side in _SIDES])


def read_objects(path: Path) -> Objects:
    """As `parse_objects`, of a file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not readable ({error.strerror})") from error
    return parse_objects(content, place=str(path))


def read_voc_boxes(folder: Path) -> dict[str, np.ndarray]:
    """The boxes of a folder of Pascal VOC files, one a photo.

    VOC counts pixels from 1 and its xmax is the last pixel of the object, so the
    half-open x0 is xmin - 1 and x1 is xmax. An inverted box stays as it is written.

    Returns:
      {path below the folder, without suffix: float32 [n, 4]}, half-open, pixels of the
      upright image; files without objects are left out.

    Raises:
      DataError: a file is wrong; it names the file and the object.
    """
    return group_boxes(
        (path.relative_to(folder).with_suffix("").as_posix(), _half_open(corners))
        for path in sorted(folder.rglob("*.xml"))
        for corners in read_objects(path).corners
    )


def _half_open(corners: np.ndarray) -> np.ndarray:
    """Moves xmin and ymin by one, but not so that an inverted box becomes a box."""
    if (corners[:2] > corners[2:]).any():
        return corners
    return corners - np.array([1, 1, 0, 0], np.float32)
