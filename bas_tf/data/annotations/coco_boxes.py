"""True boxes from a COCO instances file."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bas_tf.data.annotations.annotation_files import (
    ImageBoxes,
    read_text,
    stated_size,
    to_box,
)
from bas_tf.data.records import DataError


def read_coco_boxes(path: Path) -> list[ImageBoxes]:
    """Every box of `annotations`, under the `file_name` of its image.

    COCO's `bbox` is x, y, width, height, so x1 is x + width and y1 is y + height; a
    negative width or height gives an inverted box, and 0 an empty one.
    Regions marked `iscrowd` bound no single object and are left out; segmentations are
    not looked at.

    Returns:
      One entry for each image with boxes. `info.folder`, where it is given, is what the
      photos' folder is called: their second name begins with it.
    """
    content = read_json(path)
    images = read_images(path, content)
    categories = _read_categories(content)
    found: dict[int | str, list[tuple]] = {}  # (box, category)
    for place, image_id, annotation in read_annotations(path, content, images):
        box = box_of(annotation, place=place)
        if not annotation.get("iscrowd"):
            category = _category(annotation, categories)
            found.setdefault(image_id, []).append((box, category))
    folder, of_images = _folder(content), []
    for image_id, image in images.items():
        if image_id in found:
            boxes, kinds = zip(*found[image_id], strict=True)
            size = stated_size(image.get("width"), image.get("height"))
            name = image["file_name"]
            names = (name, f"{folder}/{name}") if folder else (name,)
            of_images.append(ImageBoxes(names, np.stack(boxes), kinds, size))
    return of_images


def read_json(path: Path):
    """What a file holds; raises DataError where it is no JSON."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not valid JSON ({error})") from error


def read_annotations(
    path: Path, content, images: dict[int | str, dict]
) -> Iterator[tuple[str, int | str, dict]]:
    """(place, image_id, annotation) of each of `annotations`."""
    for i, annotation in enumerate(entries(path, content, "annotations")):
        place = f"{path}: annotations[{i}]"
        image_id = value(place, annotation, "image_id")
        if image_id not in images:
            raise DataError(f"{place}: image_id {image_id!r} is not among the images")
        yield place, image_id, annotation


def _folder(content: dict) -> str:
    info = content.get("info")
    folder = info.get("folder") if isinstance(info, dict) else None
    return folder if isinstance(folder, str) else ""


def read_images(path: Path, content) -> dict[int | str, dict]:
    """{id: entry} of `images`, each with a text as its `file_name`."""
    images = {}
    for i, image in enumerate(entries(path, content, "images")):
        place = f"{path}: images[{i}]"
        image_id, name = value(place, image, "id"), value(place, image, "file_name")
        if not isinstance(name, str):
            raise DataError(f"{place}: file_name is no text")
        if image_id in images:
            raise DataError(f"{place}: id {image_id!r} is there twice")
        images[image_id] = image
    return images


def _read_categories(content: dict) -> dict[str, str]:
    """{id: name}; empty where the file names no categories."""
    listed = content.get("categories")
    listed = listed if isinstance(listed, list) else []
    return {
        str(entry.get("id")): str(entry.get("name", ""))
        for entry in listed
        if isinstance(entry, dict)
    }


def _category(annotation: dict, categories: dict[str, str]) -> str:
    number = annotation.get("category_id")
    if number is None:
        return ""
    return categories.get(str(number)) or f"category {number}"


def entries(path: Path, content, key: str) -> list:
    """A list of the file; raises DataError where there is none."""
    listed = content.get(key) if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise DataError(f"{path}: has no list {key!r}; expected COCO's instances file")
    return listed


def value(place: str, entry, key: str) -> int | str:
    """A key's number or text, which can name an image."""
    if not isinstance(entry, dict) or not isinstance(entry.get(key), int | str):
        raise DataError(f"{place}: no {key!r} that is a number or a text")
    return entry[key]


def box_of(annotation: dict, *, place: str) -> np.ndarray:
    """float32 [4], half-open; `place` is for the DataError of what is no box."""
    bbox = annotation.get("bbox")
    if not (
        isinstance(bbox, list)
        and len(bbox) == 4
        and all(isinstance(n, int | float) and n is not True for n in bbox)
        and all(abs(n) < 1e9 for n in bbox)
    ):
        raise DataError(f"{place}: bbox is not four numbers x, y, width, height")
    return to_box(place, bbox, has_size=True)
