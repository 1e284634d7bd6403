"""Pascal VOC 2012 with SBD and COCO 2014 in their real layouts, tiny."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from bas_tf.data.sources.voc2012 import CLASSES
from tests.data import tiny_sets

SIZE_WH = (60, 40)
# The classes of each photo. Two of train_aug are SBD's alone; all have all 20 classes.
VOC_TRAIN = {"2007_000032": CLASSES[:5], "2007_000039": CLASSES[5:10]}
SBD_ONLY = {"2008_000002": CLASSES[10:15], "2008_000003": CLASSES[15:]}
VOC_VAL = {
    "2007_000033": ("bird", "person", "bird"),
    "2007_000042": ("aeroplane",),
    "2007_000061": ("bicycle", "cow"),
}


def corners_of(place: int) -> tuple[int, int, int, int]:
    """Of the object at a place from 0 to 4, half-open; its border is not counted."""
    return 1 + 12 * place, 5 + place, 11 + 12 * place, 35


def class_mask(names: tuple[str, ...]) -> np.ndarray:
    """VOC's indices: each object with a border of 255 around it."""
    mask = np.zeros(SIZE_WH[::-1], np.uint8)
    for place, name in enumerate(names):
        x0, y0, x1, y1 = corners_of(place)
        mask[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = 255
        mask[y0:y1, x0:x1] = CLASSES.index(name) + 1
    return mask


def save_palette(path: Path, indices: np.ndarray) -> None:
    """As VOC's own masks: a PNG whose colours say nothing."""
    image = Image.fromarray(indices)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_photo(voc: Path, photo: str, names: tuple[str, ...]) -> None:
    """Bright objects on a dark ground, and their file: the second one is difficult."""
    pixels = np.full([*SIZE_WH[::-1], 3], 30, np.uint8)
    boxes = []
    for place in range(len(names)):
        x0, y0, x1, y1 = corners_of(place)
        pixels[y0:y1, x0:x1] = 230
        boxes.append((x0 + 1, y0 + 1, x1, y1))
    tiny_sets.save(voc / f"JPEGImages/{photo}.jpg", pixels)
    first, *others = tiny_sets.voc_xml(
        boxes, names=list(names), file=f"{photo}.jpg", size_wh=SIZE_WH
    ).split("</object>")
    part = "<part><name>cat</name><bndbox><xmin>2</xmin></bndbox></part>"
    others[0] = others[0].replace("</name>", "</name><difficult>1</difficult>")
    xml = "</object>".join([first + part, *others])
    tiny_sets.write_lines(voc / f"Annotations/{photo}.xml", [xml])


def make_voc(parent: Path, *, sbd: bool = True) -> Path:
    """VOCdevkit/, and next to it benchmark_RELEASE/; returns VOC2012/."""
    voc = parent / "VOCdevkit/VOC2012"
    lists = voc / "ImageSets/Segmentation"
    for photo, names in (VOC_TRAIN | SBD_ONLY | VOC_VAL).items():
        write_photo(voc, photo, names)
        if photo not in SBD_ONLY:
            mask = voc / f"SegmentationClass/{photo}.png"
            save_palette(mask, class_mask(names))
    for split, photos in (("train", VOC_TRAIN), ("val", VOC_VAL)):
        tiny_sets.write_lines(lists / f"{split}.txt", photos)
    if sbd:  # whose lists share photos with both of VOC's
        dataset = parent / "benchmark_RELEASE/dataset"
        tiny_sets.write_lines(dataset / "train.txt", ["2008_000003", "2007_000033"])
        tiny_sets.write_lines(dataset / "val.txt", ["2007_000039", "2008_000002"])
    return voc


CATEGORIES = {1: "person", 3: "car", 90: "toothbrush"}  # COCO's ids have gaps


def coco_annotation(image_id: int, category: int, corners, **changes) -> dict:
    """A rectangle's."""
    x0, y0, x1, y1 = corners
    return {
        "image_id": image_id,
        "category_id": category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        **changes,
    }


def make_coco(root: Path) -> Path:
    """Photos 10 to 13 of each split; 12 has no annotation.

    Photo 10 has a small car in front of a large person, and a crowd of toothbrushes
    behind both: columns 0 to 29. Photo 11 has a person of two parts, and photo 13 a
    toothbrush next to that crowd.
    """
    width, height = SIZE_WH
    crowd = {"size": [height, width], "counts": [0, 30 * height, 30 * height]}
    two = [[0, 0, 9, 0, 9, 9, 0, 9], [20, 5, 30, 5, 30, 10, 20, 10]]
    for split in ("train", "val"):
        names = {i: f"COCO_{split}2014_{i:012d}.jpg" for i in (10, 11, 12, 13)}
        for name in names.values():
            tiny_sets.save(
                root / f"{split}2014" / name, np.full([height, width, 3], 90, np.uint8)
            )
        annotations = [
            coco_annotation(10, 3, (12, 12, 20, 20)),
            coco_annotation(11, 1, (0, 0, 30, 10), segmentation=two),
            coco_annotation(10, 1, (10, 4, 40, 36)),
            coco_annotation(13, 90, (35, 5, 45, 15)),
            *(
                coco_annotation(i, 90, (0, 0, 30, 40), segmentation=crowd, iscrowd=1)
                for i in (10, 13)
            ),
        ]
        content = {
            "images": [
                {"id": i, "file_name": name, "width": width, "height": height}
                for i, name in names.items()
            ],
            "categories": [
                {"id": i, "name": CATEGORIES[i]} for i in sorted(CATEGORIES)[::-1]
            ],
            "annotations": annotations,
        }
        file = root / f"annotations/instances_{split}2014.json"
        tiny_sets.write_lines(file, [json.dumps(content)])
    return root
