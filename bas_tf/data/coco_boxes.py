"""True boxes from a COCO instances file."""

import json
from pathlib import Path

import numpy as np

from bas_tf.data.annotation_files import group_boxes, read_text, to_box
from bas_tf.data.records import DataError


def read_coco_boxes(path: Path) -> dict[str, np.ndarray]:
    """Every box of `annotations`, under the `file_name` of its image.

    COCO's `bbox` is x, y, width, height, so x1 is x + width and y1 is y + height; a
    negative width or height gives an inverted box, and 0 an empty one.
    Regions marked `iscrowd` bound no single object and are left out; categories and
    segmentations are not looked at.

    Returns:
      {file_name: float32 [n, 4]}, half-open, pixels of the upright image.

    Raises:
      DataError: not JSON, or an entry is wrong; it names the entry.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not valid JSON ({error})") from error
    names = {}
    for i, image in enumerate(_entries(path, content, "images")):
        place = f"{path}: images[{i}]"
        image_id, name = _value(place, image, "id"), _value(place, image, "file_name")
        if not isinstance(name, str):
            raise DataError(f"{place}: file_name is no text")
        if image_id in names:
            raise DataError(f"{place}: id {image_id!r} is there twice")
        names[image_id] = name
    boxes = []
    for i, annotation in enumerate(_entries(path, content, "annotations")):
        place = f"{path}: annotations[{i}]"
        image_id = _value(place, annotation, "image_id")
        if image_id not in names:
            raise DataError(f"{place}: image_id {image_id!r} is not among the images")
        box = to_box(f"{place}: {names[image_id]!r}", _corners(place, annotation))
        if not annotation.get("iscrowd"):
            boxes.append((names[image_id], box))
    return group_boxes(boxes)


def _entries(path: Path, content, key: str) -> list[dict]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise DataError(f"{path}: has no list {key!r}; expected COCO's instances file")
    return entries


def _value(place: str, entry, key: str) -> int | str:
    """A key's number or text, which can name an image."""
    if not isinstance(entry, dict) or not isinstance(entry.get(key), int | str):
        raise DataError(f"{place}: no {key!r} that is a number or a text")
    return entry[key]


def _corners(place: str, annotation: dict) -> list[float]:
    bbox = annotation.get("bbox")
    if not (
        isinstance(bbox, list)
        and len(bbox) == 4
        and all(isinstance(n, int | float) and n is not True for n in bbox)
        and all(abs(n) < 1e9 for n in bbox)
    ):
        raise DataError(f"{place}: bbox is not four numbers x, y, width, height")
    x, y, width, height = bbox
    return [x, y, x + width, y + height]
