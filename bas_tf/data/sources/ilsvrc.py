"""Source `ilsvrc`: ILSVRC 2012 (ImageNet) from extracted folders.

  root/train/<synset>/*.JPEG
  root/val/<synset>/*.JPEG or root/val/*.JPEG
  and optional, but needed by a flat val: true boxes in one of the forms of
  bas_tf/data/annotations/ilsvrc_boxes.py

The images may also lie in root/Data/CLS-LOC/. Splits are `train` and `val`; the
official test set has no labels.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from bas_tf.data.annotations.annotation_files import labels_of, wrong_layout
from bas_tf.data.annotations.ilsvrc_boxes import FORMS, Annotations, read_annotations
from bas_tf.data.listing import class_folders, images_of
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet

SPLITS = ("train", "val")
_IMAGES = "Data/CLS-LOC"


class IlsvrcSource(PublishedSet):
    """The images, with true boxes on val if there are any.

    Classes are the synset folders of train, sorted. With `class_names`, train/ may be
    absent. Images come by class and file name, those of a flat val by name.
    """

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._given_root = Path(root)
        if not self._given_root.is_dir():
            raise DataError(f"data.root is {root!r}: no such folder")
        nested = self._given_root / _IMAGES
        self._root = nested if nested.is_dir() else self._given_root
        train = self._root / "train"
        self.splits = tuple(s for s in SPLITS if (self._root / s).is_dir())
        if not train.is_dir() and not class_names:
            raise wrong_layout(
                self._root,
                "train/<synset>/ and val/ (flat or per synset), or Data/CLS-LOC/ "
                "with them",
            )
        self._synsets = class_folders(train) if train.is_dir() else sorted(class_names)
        self.class_names = tuple(class_names or self._synsets)

    def _records(self, split: str) -> list[Record]:
        if split == "train":
            return self._in_folders(split, None)
        annotations = read_annotations(self._given_root)
        is_flat = bool(images_of(self._root / split))
        records = (self._flat if is_flat else self._in_folders)(split, annotations)
        if annotations and not any(
            _stem(record.image_id) in annotations.boxes for record in records
        ):
            raise DataError(
                f"{annotations.origin}: none of its boxes is of an image in "
                f"{self._root / split}"
            )
        return records

    def _in_folders(self, split: str, annotations: Annotations | None) -> list[Record]:
        folder = self._root / split
        labels = labels_of(class_folders(folder), self.class_names, folder=folder)
        return [
            self._photo(f"{split}/{synset}/{name}", label, annotations)
            for synset, label in labels.items()
            for name in images_of(folder / synset)
        ]

    def _flat(self, split: str, annotations: Annotations | None) -> list[Record]:
        folder = self._root / split
        if annotations is None:
            raise DataError(
                f"{folder}: is flat, so labels come with the boxes; expected {FORMS}"
            )
        names = images_of(folder)
        synset_of = {name: self._synset(name, annotations) for name in names}
        labels = labels_of(synset_of.values(), self.class_names, folder=folder)
        return [
            self._photo(f"{split}/{name}", labels[synset_of[name]], annotations)
            for name in names
        ]

    def _synset(self, name: str, annotations: Annotations) -> str:
        stem = _stem(name)
        if stem in annotations.synsets:
            return annotations.synsets[stem]
        class_id = annotations.class_ids.get(stem)
        if class_id is None or class_id >= len(self._synsets):
            raise DataError(
                f"{annotations.origin}: label of {name} is {class_id}; expected one "
                f"of the {len(self._synsets)} classes"
            )
        return self._synsets[class_id]

    def _photo(
        self, image_id: str, label: int, annotations: Annotations | None
    ) -> Record:
        boxes = annotations and annotations.boxes.get(_stem(image_id))
        return self._record(image_id, label, boxes_original=boxes)


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0]
