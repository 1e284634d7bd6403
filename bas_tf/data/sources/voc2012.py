"""Source `voc2012`: Pascal VOC 2012's segmentation set, with all classes of a photo.

  VOC2012/ImageSets/Segmentation/train.txt  val.txt
          JPEGImages/<id>.jpg  Annotations/<id>.xml  SegmentationClass/<id>.png
  benchmark_RELEASE/dataset/train.txt  val.txt   optional: SBD, next to VOC2012 or to
                                                 VOCdevkit (or SBD/dataset/)

Splits:
  train       with SBD train_aug, its train and val and VOC's train without VOC's val
              (10,582 photos); without SBD as voc_train
  voc_train   VOC's own train.txt (1,464)
  val         VOC's val.txt (1,449)

The lists alone are read of SBD: its photos are VOC's, and so are their labels. VOC has
masks of the photos of voc_train and val; those that SBD adds have none. VOC's test has
no labels.

A photo's classes are those of all objects in its XML file, difficult and truncated ones
too, and its label is the first one's. Boxes are of the label, counted as VOC does: x0
is xmin - 1, x1 is xmax.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from bas_tf.data.annotations.annotation_files import read_rows, wrong_layout
from bas_tf.data.annotations.class_masks import mask_of_class, read_class_mask
from bas_tf.data.annotations.voc_boxes import half_open, read_objects
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep",
    "sofa", "train", "tvmonitor",
)  # fmt: skip
LISTS, SBD = "ImageSets/Segmentation", ("benchmark_RELEASE", "SBD")


class Voc2012Source(PublishedSet):
    """Photos of 20 classes, with masks of them where VOC has drawn some.

    The root is VOC2012/, VOCdevkit/, or the folder that holds VOCdevkit/.
    """

    splits = ("train", "voc_train", "val")

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = _find_root(Path(root))
        self._sbd = _find_sbd(self._root)
        self._set_classes(CLASSES, class_names)

    def records(self, split: str) -> list[Record]:
        """The photos of a split, in the order of its list, or of ids with SBD."""
        if split == "test":
            raise DataError(
                f"{self._root}: VOC publishes its split 'test' without labels and "
                f"masks; expected {', '.join(self.splits)}"
            )
        return super().records(split)

    def _records(self, split: str) -> list[Record]:
        return [self._photo(photo) for photo in self._ids(split)]

    def _ids(self, split: str) -> list[str]:
        own_lists = self._root / LISTS
        own = _read_ids(own_lists / ("val.txt" if split == "val" else "train.txt"))
        if split != "train":
            return own
        if self._sbd is None:
            logging.warning(
                "%s: no SBD (%s) next to it, so split train is VOC's own %d photos; "
                "train_aug has 10582",
                self._root, " or ".join(f"{name}/dataset" for name in SBD), len(own),
            )  # fmt: skip
            return own
        added = [i for n in ("train", "val") for i in _read_ids(self._sbd / f"{n}.txt")]
        return sorted({*own, *added} - {*_read_ids(own_lists / "val.txt")})

    def _photo(self, photo: str) -> Record:
        path = self._root / "Annotations" / f"{photo}.xml"
        objects = read_objects(path)
        known = [
            (self._label_of[name], corners)
            for name, corners in zip(objects.names, objects.corners, strict=True)
            if name in self._label_of
        ]
        if not known:
            raise DataError(f"{path}: has no object of the {len(CLASSES)} classes")
        label, *others = dict.fromkeys(label for label, _ in known)
        mask, load_class_mask = self._root / "SegmentationClass" / f"{photo}.png", None
        if mask.is_file():
            labels = [self._label_of[name] for name in CLASSES]
            load_class_mask = functools.partial(read_class_mask, mask, labels)
        return self._record(
            f"JPEGImages/{photo}.jpg",
            label,
            boxes_original=np.stack([half_open(c) for n, c in known if n == label]),
            load_mask=load_class_mask
            and functools.partial(mask_of_class, load_class_mask, label),
            other_labels=tuple(others),
            load_class_mask=load_class_mask,
        )


def _read_ids(path: Path) -> list[str]:
    return [row.fields[0] for row in read_rows(path, ("id",))]


def _find_root(root: Path) -> Path:
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (folder / LISTS).is_dir():
            return folder
    raise wrong_layout(
        root, f"VOCdevkit/VOC2012/ with {LISTS}/, JPEGImages/ and Annotations/"
    )


def _find_sbd(root: Path) -> Path | None:
    for parent in root.absolute().parents[:2]:
        for name in SBD:
            if (parent / name / "dataset").is_dir():
                return parent / name / "dataset"
    return None
