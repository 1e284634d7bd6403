"""COCO's instances file: annotations.json."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bas_tf import files
from bas_tf.annotation.data_set import DataSet, Object, Photo
from bas_tf.annotation.json_list import write_list

FILE = "annotations.json"


def write(data: DataSet, output: Path, *, file_name: str = FILE) -> None:
    """Writes the data set as one file of its `file_name`s below the folder of photos.

    Category ids are 1 + class id: some readers take 0 for no category.
    """
    categories = [
        {"id": i, "name": name, "supercategory": ""}
        for i, name in enumerate(data.class_names, start=1)
    ]
    with files.replacing(output / file_name) as file:
        info = {"folder": data.folder}
        file.write(f'{{"info": {json.dumps(info)},\n'.encode())
        file.write(f'"categories": {json.dumps(categories)},\n"images": '.encode())
        write_list(file, (image(photo, i) for i, photo in _numbered(data)))
        file.write(b',\n"annotations": ')
        write_list(file, _annotations(data))
        file.write(b"}\n")


def image(photo: Photo, image_id: int) -> dict:
    """An entry of "images"."""
    width, height = photo.size_wh
    return {"id": image_id, "file_name": photo.name, "width": width, "height": height}


def annotation(
    found: Object, *, annotation_id: int, image_id: int, category_id
) -> dict:
    """An entry of "annotations"; without a mask the segmentation is empty."""
    x0, y0, x1, y1 = found.box
    width, height = round(x1 - x0, 2), round(y1 - y0, 2)
    area = round(width * height, 2)
    if found.mask is not None:
        area = int(np.sum(found.mask["counts"][1::2]))
    entry = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [x0, y0, width, height],
        "area": area,
        "segmentation": found.mask or [],
        "iscrowd": 0,
        "attributes": {"degenerate": found.degenerate},
    }
    return entry if found.score is None else {**entry, "score": round(found.score, 6)}


def _numbered(data: DataSet) -> Iterator[tuple[int, Photo]]:
    return enumerate(data.photos(), start=1)


def _annotations(data: DataSet) -> Iterator[dict]:
    count = 0
    for image_id, photo in _numbered(data):
        for found in photo.objects:
            count += 1
            yield annotation(
                found,
                annotation_id=count,
                image_id=image_id,
                category_id=data.class_names.index(found.label) + 1,
            )
