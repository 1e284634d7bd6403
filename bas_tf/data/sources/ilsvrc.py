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

from bas_tf.data.annotations.annotation_files import (
    labels_of,
    unknown_split,
    wrong_layout,
)
from bas_tf.data.annotations.ilsvrc_boxes import FORMS, Annotations, read_annotations
from bas_tf.data.images import image_file
from bas_tf.data.listing import class_folders, images_of
from bas_tf.data.records import DataError, Record

SPLITS = ("train", "val")
_IMAGES = "Data/CLS-LOC"


class IlsvrcSource:
    """The images, with true boxes on val if there are any; a `Source`.

    Classes are the synset folders of train, sorted.

    Args:
      root: the folder that holds train/ and val/.
      class_names: as for `load_source`; with them, train/ may be absent.

    Raises:
      DataError: another layout.
    """

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        if not self._root.is_dir():
            raise DataError(f"data.root is {root!r}: no such folder")
        nested = self._root / _IMAGES
        self._images = nested if nested.is_dir() else self._root
        train = self._images / "train"
        self.splits = tuple(s for s in SPLITS if (self._images / s).is_dir())
        if not train.is_dir() and not class_names:
            raise wrong_layout(
                self._images,
                "train/<synset>/ and val/ (flat or per synset), or Data/CLS-LOC/ "
                "with them",
            )
        self._synsets = class_folders(train) if train.is_dir() else sorted(class_names)
        self.class_names = tuple(class_names or self._synsets)

    def records(self, split: str) -> list[Record]:
        """The images of a split, by class and file name, those of a flat val by name.

        Raises:
          DataError: no such split, or annotations that fit no image.
        """
        if split not in self.splits:
            raise unknown_split(self._images, split, self.splits)
        if split == "train":
            return self._in_folders(split, None)
        annotations = read_annotations(self._root)
        is_flat = bool(images_of(self._images / split))
        records = (self._flat if is_flat else self._in_folders)(split, annotations)
        if annotations and not any(
            _stem(record.image_id) in annotations.boxes for record in records
        ):
            raise DataError(
                f"{annotations.origin}: none of its boxes is of an image in "
                f"{self._images / split}"
            )
        return records

    def _in_folders(self, split: str, annotations: Annotations | None) -> list[Record]:
        folder = self._images / split
        labels = labels_of(class_folders(folder), self.class_names, folder=folder)
        return [
            self._record(f"{split}/{synset}/{name}", label, annotations)
            for synset, label in labels.items()
            for name in images_of(folder / synset)
        ]

    def _flat(self, split: str, annotations: Annotations | None) -> list[Record]:
        folder = self._images / split
        if annotations is None:
            raise DataError(
                f"{folder}: is flat, so labels come with the boxes; expected {FORMS}"
            )
        names = images_of(folder)
        synset_of = {name: self._synset(name, annotations) for name in names}
        labels = labels_of(synset_of.values(), self.class_names, folder=folder)
        return [
            self._record(f"{split}/{name}", labels[synset_of[name]], annotations)
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

    def _record(
        self, image_id: str, label: int, annotations: Annotations | None
    ) -> Record:
        return Record(
            image_id=image_id,
            label=label,
            image=image_file(f"{self._images}/{image_id}", upright=False),
            boxes_original=annotations.boxes.get(_stem(image_id))
            if annotations
            else None,
        )


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0]
