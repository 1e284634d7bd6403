"""The layout of YOLO: images/, labels/, data.yaml.

Photos are copied: labels are found next to them, and trainers rewrite a JPEG without an
end marker where it lies, which a hard link would carry to the original.
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from bas_tf import files
from bas_tf.annotation import polygons
from bas_tf.annotation.data_set import SPLITS, DataSet, Object, Photo, warn_of_leftovers
from bas_tf.data import decode
from bas_tf.refinement import masks

IMAGES, LABELS, FILE = "images", "labels", "data.yaml"


def write(data: DataSet, output: Path) -> None:
    """Writes the labels, copies the photos that are new or changed; data.yaml last."""
    found, copies = set(), set()
    for photo, name in _names(data):
        lines = [
            label(each, photo.size_wh, data.class_names, as_polygon=data.has_masks)
            for each in photo.objects
        ]
        path = output / LABELS / f"{name}.txt"
        files.write_file(path, "".join(f"{line}\n" for line in lines).encode())
        copy = output / IMAGES / (name + PurePosixPath(photo.name).suffix)
        original = data.root / photo.name
        if not files.is_up_to_date(copy, original):
            files.write_file(copy, decode.read_file(original))
        copies.add(copy)
        found.add(name.partition("/")[0])
    warn_of_leftovers(output / IMAGES, copies)
    splits = [split for split in SPLITS if split in found]
    files.write_file(output / FILE, description(data.class_names, splits).encode())


def label(
    found: Object,
    size_wh: tuple[int, int],
    class_names: tuple[str, ...],
    *,
    as_polygon: bool,
) -> str:
    """A line: the class id, and the box's centre and size or the outline's points.

    Fractions of the upright photo. Boxes and outlines must not be mixed in a data set,
    so an object without a mask is outlined by its box.
    """
    class_id, (x0, y0, x1, y1) = class_names.index(found.label), found.box
    if not as_polygon:
        points = np.array([[(x0 + x1) / 2, (y0 + y1) / 2], [x1 - x0, y1 - y0]])
    elif found.mask is None:
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    else:
        points = polygons.outline(masks.from_run_lengths(found.mask))
    values = (points / size_wh).ravel()
    return " ".join([str(class_id), *(f"{value:.8f}" for value in values)])


def description(class_names: tuple[str, ...], splits: list[str]) -> str:
    """data.yaml; folders called train, val and test are the splits."""
    folders = {split: f"{IMAGES}/{split}" for split in splits}
    folders = {"train": IMAGES, "val": folders.get("train", IMAGES), **folders}
    names = [
        f"  {i}: {json.dumps(name, ensure_ascii=False)}"
        for i, name in enumerate(class_names)
    ]
    lines = [*(f"{key}: {folder}" for key, folder in folders.items()), "names:", *names]
    return "\n".join(lines) + "\n"


def _names(data: DataSet) -> Iterator[tuple[Photo, str]]:
    """Photos with their names here, without ending and different in more than case.

    A folder called images would hide the one above it from the trainer.
    """
    taken: set[str] = set()
    for photo in data.photos():
        parts = PurePosixPath(photo.stem).parts
        stem = "/".join(f"{p}_" if p == IMAGES else p for p in parts)
        name = files.unused_name(stem, ".txt", taken)
        taken.add(name.casefold())
        yield photo, name.removesuffix(".txt")
