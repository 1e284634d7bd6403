"""Source `coco2014`: COCO 2014, with all classes of a photo.

  annotations/instances_train2014.json  instances_val2014.json
  train2014/*.jpg  val2014/*.jpg

Splits are `train` and `val`; classes are the categories by ascending id. A photo's
classes are those of its annotations, crowd regions too, and its label is the first
one's; photos without any annotation are left out. Boxes are of the label, without
crowds.

A mask of the classes is painted from the outlines as pycocotools fills them: crowd
regions, which are ignored, then objects from the largest to the smallest, so that a
smaller one hides a larger one where they overlap.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from bas_tf.data.annotations import coco_boxes
from bas_tf.data.annotations.annotation_files import (
    labels_of,
    stated_size,
    wrong_layout,
)
from bas_tf.data.annotations.class_masks import mask_of_class
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet
from bas_tf.errors import import_extra
from bas_tf.geometry.frames import Size
from bas_tf.names import UNSURE_LABEL

FILE = "annotations/instances_{}2014.json"


class Coco2014Source(PublishedSet):
    """Photos of 80 classes, with a mask of them each.

    Raises:
      UserError: a mask is asked for, and pycocotools is not installed.
    """

    splits = ("train", "val")

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        self._files = {split: self._root / FILE.format(split) for split in self.splits}
        if not all(path.is_file() for path in self._files.values()):
            names = " and ".join(FILE.format(split) for split in self.splits)
            raise wrong_layout(root, f"{names}, train2014/ and val2014/")
        if class_names is None:
            path = self._files["val"]  # the smaller one
            class_names = _read_categories(path, coco_boxes.read_json(path)).values()
        self.class_names = tuple(class_names)

    def _records(self, split: str) -> list[Record]:
        path = self._files[split]
        content = coco_boxes.read_json(path)
        images = coco_boxes.read_images(path, content)
        categories = _read_categories(path, content)
        label_of = labels_of(categories.values(), self.class_names, folder=self._root)
        objects: dict[int | str, list[_Object]] = {}
        for place, image_id, entry in coco_boxes.read_annotations(
            path, content, images
        ):
            category = coco_boxes.value(place, entry, "category_id")
            if category not in categories:
                raise DataError(f"{place}: category_id {category!r} is not among them")
            found = _Object(
                place=place,
                label=label_of[categories[category]],
                box=coco_boxes.box_of(entry, place=place),
                is_crowd=bool(entry.get("iscrowd")),
                segmentation=entry.get("segmentation"),
            )
            objects.setdefault(image_id, []).append(found)
        logging.info(
            "%s: left out %d of %d photos, which have no annotation",
            path, len(images) - len(objects), len(images),
        )  # fmt: skip
        return [
            self._photo(split, image, objects[image_id])
            for image_id, image in images.items()
            if image_id in objects
        ]

    def _photo(self, split: str, image: dict, objects: list["_Object"]) -> Record:
        name = f"{split}2014/{Path(image['file_name']).name}"
        size_wh = stated_size(image.get("width"), image.get("height"))
        if size_wh is None:
            raise DataError(f"{self._files[split]}: {name}: has no width and height")
        label, *others = dict.fromkeys(found.label for found in objects)
        boxes = [o.box for o in objects if o.label == label and not o.is_crowd]
        load_class_mask = functools.partial(_paint, objects, size_wh)
        return self._record(
            name,
            label,
            boxes_original=np.stack(boxes) if boxes else None,
            load_mask=functools.partial(mask_of_class, load_class_mask, label),
            other_labels=tuple(others),
            load_class_mask=load_class_mask,
        )


@dataclasses.dataclass(frozen=True)
class _Object:
    """An annotation: `place` is for errors, `segmentation` as the file has it."""

    place: str
    label: int
    box: np.ndarray
    is_crowd: bool
    segmentation: list | dict | None

    def covered(self, size_wh: Size) -> np.ndarray:
        """Its pixels, bool [height, width].

        Raises:
          DataError: neither polygons nor run lengths of the photo's size.
        """
        try:
            if isinstance(self.segmentation, dict):
                return _from_run_lengths(self.segmentation["counts"], size_wh)
            return _fill(self.segmentation, size_wh)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.place}: segmentation is neither polygons nor run lengths of "
                f"{size_wh[0]}x{size_wh[1]} pixels ({error})"
            ) from error


def _paint(objects: Sequence[_Object], size_wh: Size) -> np.ndarray:
    """A photo's classes, see `Record.load_class_mask`."""
    shapes = [(found, found.covered(size_wh)) for found in objects]
    shapes.sort(key=lambda shape: (not shape[0].is_crowd, -shape[1].sum()))
    painted = np.zeros(size_wh[::-1], np.uint8)
    for found, pixels in shapes:
        painted[pixels] = UNSURE_LABEL if found.is_crowd else found.label + 1
    return painted


def _from_run_lengths(counts: list[int], size_wh: Size) -> np.ndarray:
    """COCO's run lengths: by columns, the first is outside."""
    width, height = size_wh
    if sum(counts) != width * height:
        raise ValueError(f"{sum(counts)} pixels")
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return pixels.reshape(height, width, order="F")


def _fill(polygons: list[list[float]], size_wh: Size) -> np.ndarray:
    """The union of polygons x0, y0, x1, y1, ..., cut at the photo's edges."""
    width, height = size_wh
    outlines = []
    for polygon in polygons:
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            raise ValueError("a polygon has three points or more")
        outlines.append(np.clip(points, 0, size_wh).ravel().tolist())
    if not outlines:
        raise ValueError("no polygon")
    tools = import_extra("pycocotools.mask", "coco")
    filled = tools.merge(tools.frPyObjects(outlines, height, width))
    return tools.decode(filled).astype(bool)


def _read_categories(path: Path, content) -> dict[int, str]:
    """{id: name} by ascending id."""
    found = {}
    for i, category in enumerate(coco_boxes.entries(path, content, "categories")):
        place = f"{path}: categories[{i}]"
        number = coco_boxes.value(place, category, "id")
        if not isinstance(number, int):
            raise DataError(f"{place}: id {number!r} is no number")
        found[number] = str(coco_boxes.value(place, category, "name"))
    return dict(sorted(found.items()))
