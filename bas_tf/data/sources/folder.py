"""Source `folder`: your own photos, `root/<split>/<class>/<file>`, labels by folder.

Optional, for evaluation only, is one form of true boxes (several an image allowed):

  root/boxes.csv                image,x_min,y_min,x_max,y_max; half-open pixels of the
                                upright image, paths relative to root
  root/boxes.json               COCO: file_name relative to root
  root/boxes/<same path>.xml    Pascal VOC: 1-based, xmax and ymax inclusive

(other spellings of a path: `box_names`)

and `root/masks/<same path>.png`: 0 background, 255 object, 128 ignore.

A class folder `_none` holds photos without any object: a class, the last one, whose
photos have no true box.

Where photos show several classes, a photo lies in the folder of one of them, and
`root/labels.csv` (image,classes) names all: train/cat/1.jpg,cat;dog. Boxes and masks
are of the folder's class.

A root without `train/` whose folders hold photos is split here: of each class every
fifth photo by name is val, the others are train. Their ids begin with that split.
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import labels_of
from bas_tf.data.annotations.box_files import BoxesOfPhoto, BoxFile, check_not_shares
from bas_tf.data.annotations.csv_labels import read_csv_labels
from bas_tf.data.images import image_file
from bas_tf.data.listing import (
    class_folders,
    folders_in,
    images_of,
    is_hidden,
    is_image,
    unread_files,
    visible_entries,
)
from bas_tf.data.records import DataError, OnFault, Record, raise_fault
from bas_tf.names import NO_OBJECT

VAL_EVERY = 5
_NO_CLASSES = ("boxes", "masks")
LABELS = "labels.csv"


class FolderSource:
    """Labelled photos in folders.

    Attributes:
      class_names: the class folders of `train`, sorted, NO_OBJECT last (or as given).

    Args:
      root: the folder that holds `train/`, `val/`, `test/`.
      class_names: a trained model's classes, when evaluating: their order is the
        model's. Default: read from `train/`.
      rescale_boxes: scales boxes that were drawn on a smaller or larger copy.
      on_fault: gets the DataError of a class folder that cannot be read, is of an
        unknown class or has a name that cannot be kept; its photos are left out.

    Raises:
      DataError: root is missing or has no class folders. What is wrong with a box file
        is raised when records are asked for.
    """

    def __init__(
        self,
        *,
        root: str,
        class_names: Sequence[str] | None = None,
        rescale_boxes: bool = False,
        on_fault: OnFault = raise_fault,
    ):
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"data.root is {root!r}: no such folder")
        self._rescale_boxes, self._on_fault = rescale_boxes, on_fault
        self._is_split_here = _is_split_here(self.root)
        names = class_names or sorted(
            self._class_folders("train"), key=lambda name: name == NO_OBJECT
        )
        self.class_names = tuple(names)

    @functools.cached_property
    def box_file(self) -> BoxFile:
        """The boxes of all splits, with what is wrong with them."""
        return self.match_boxes()

    def match_boxes(self, path: Path | None = None) -> BoxFile:
        """The boxes of any file, of the photos of all splits; None: of the root's."""
        return BoxFile(
            self.root,
            self._image_ids,
            splits=self.splits,
            class_names=self.class_names,
            rescale=self._rescale_boxes,
            photo_path=self._photo_path,
            path=path,
        )

    @functools.cached_property
    def _labels(self) -> tuple[dict[str, tuple[int, ...]], list[str]]:
        """All classes of photos that labels.csv names, and what is wrong with it."""
        if not (self.root / LABELS).exists():
            return {}, []
        return read_csv_labels(
            self.root / LABELS,
            self._image_ids,
            splits=self.splits,
            class_names=self.class_names,
        )

    @property
    def label_faults(self) -> list[str]:
        """What is wrong with labels.csv, of all splits."""
        return self._labels[1]

    @functools.cached_property
    def _image_ids(self) -> list[str]:
        """Of all splits."""
        return [i for split in self.splits for i in self._photos_of(split)]

    @functools.cached_property
    def unused_masks(self) -> list[str]:
        """`masks/<path>` of the pictures there that are of no photo, in any split."""
        used = {self._mask_path(i).with_suffix(".png") for i in self._image_ids}
        unused = [p for p in (self.root / "masks").rglob("*.*") if p not in used]
        pictures = [p for p in unused if is_image(p.name) and not is_hidden(p.name)]
        return sorted(path.relative_to(self.root).as_posix() for path in pictures)

    @property
    def splits(self) -> tuple[str, ...]:
        """The folders of the root, those of boxes and masks among them."""
        return ("train", "val") if self._is_split_here else tuple(folders_in(self.root))

    def records(self, split: str) -> list[Record]:
        """Every photo of the split, by class, then by file name.

        A class whose folder is absent or holds no photo has no records.

        Raises:
          DataError: no such split, a class that is not known, no photo at all, boxes
            that are lost or of other pixels than the photo's, or a wrong labels.csv.
        """
        records, boxes = self.records_and_boxes(split)
        if faults := self.label_faults:
            more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
            raise DataError(faults[0] + more)
        wrong = [fault for each in boxes for fault in each.faults]
        if self.box_file.faults or wrong:
            more = f" (and {len(wrong) - 1} more photos)" if len(wrong) > 1 else ""
            raise DataError(next(iter(self.box_file.faults), "") or wrong[0] + more)
        check_not_shares(self.box_file.path, split, (each.boxes for each in boxes))
        for note in (*self.box_file.notes, *self.box_notes(split, boxes)):
            logging.warning("%s", note)
        if split != "train" and (unused := self.unused_masks):
            logging.warning(
                "%s: %d files below masks/ are of no photo, the first is %s; expected "
                "masks/<path of its photo>.png", self.root, len(unused), unused[0],
            )  # fmt: skip
        if unread := [name for name, _ in unread_files(self.folder_of(split))]:
            logging.warning(
                "%s: skipped %d entries that are no photos: %s%s",
                self.folder_of(split), len(unread), ", ".join(unread[:3]),
                ", …" * (len(unread) > 3),
            )  # fmt: skip
        return records

    def box_notes(self, split: str, boxes: Sequence[BoxesOfPhoto]) -> list[str]:
        """Says so where a box file has no box for a split of evaluation."""
        path = self.box_file.path
        if split == "train" or not path or any(b.boxes is not None for b in boxes):
            return []
        return [f"{path}: no box is of a photo of split {split!r}"]

    def records_and_boxes(self, split: str) -> tuple[list[Record], list[BoxesOfPhoto]]:
        """As `records`, with each one's boxes, however wrong these or labels.csv are.

        Raises:
          DataError: as `records`, but for boxes and labels.csv.
        """
        folder = self.folder_of(split)
        if not folder.is_dir() or (self._is_split_here and split not in self.splits):
            known = ", ".join(self.splits)
            place = self.root / split
            raise DataError(f"{place}: no such split folder; {self.root} has {known}")
        labels = labels_of(
            self._class_folders(split),
            self.class_names,
            folder=folder,
            on_fault=self._on_fault,
        )
        found = []
        for name, label in labels.items():
            place = f"{split}/{name}"
            masks_folder = self._mask_path(place)
            masks = frozenset(visible_entries(masks_folder, self._on_fault))
            found += [
                self._record(f"{place}/{file}", label, masks)
                for file in self._photos_in(split, name)
            ]
        if not found:
            raise DataError(
                f"{folder}: no images in its class folders; "
                f"expected files ending in {', '.join(decode.EXTENSIONS)}"
            )
        return [record for record, _ in found], [boxes for _, boxes in found]

    def _photos_of(self, split: str) -> list[str]:
        """`<split>/<class>/<file>` of a split's photos; none without classes."""
        folder = self.folder_of(split)
        if not visible_entries(folder, self._on_fault) or not folders_in(folder):
            return []  # a fault when its records are asked for
        return [
            f"{split}/{name}/{file}"
            for name in self._class_folders(split)
            for file in self._photos_in(split, name)
        ]

    def folder_of(self, split: str) -> Path:
        """The folder that holds a split's class folders."""
        return self.root if self._is_split_here else self.root / split

    def _class_folders(self, split: str) -> list[str]:
        names = class_folders(self.folder_of(split), self._on_fault)
        return [n for n in names if not (self._is_split_here and n in _NO_CLASSES)]

    def _photos_in(self, split: str, class_name: str) -> list[str]:
        files = images_of(self.folder_of(split) / class_name, self._on_fault)
        if not self._is_split_here:
            return files
        is_val = split == "val"
        return [f for i, f in enumerate(files) if (i % VAL_EVERY == 1) == is_val]

    def _mask_path(self, place: str) -> Path:
        return self.root / "masks" / self._photo_path(place).relative_to(self.root)

    def _photo_path(self, image_id: str) -> Path:
        if self._is_split_here:
            return self.root / image_id.partition("/")[2]
        return self.root / image_id

    def _record(
        self, image_id: str, label: int, masks: frozenset[str]
    ) -> tuple[Record, BoxesOfPhoto]:
        """`masks` are the names in the photo's folder of masks."""
        boxes = self.box_file.of(image_id)
        if self.class_names[label] == NO_OBJECT:
            boxes, masks = _without_object(image_id, boxes), frozenset()
        mask = self._mask_path(image_id).with_suffix(".png")
        record = Record(
            image_id=image_id,
            label=label,
            image=image_file(self._photo_path(image_id)),
            boxes_original=boxes.boxes,
            load_mask=functools.partial(decode.decode_mask, mask)
            if mask.name in masks
            else None,
            other_labels=tuple(
                i for i in self._labels[0].get(image_id, ()) if i != label
            ),
        )
        return record, boxes


def _without_object(image_id: str, boxes: BoxesOfPhoto) -> BoxesOfPhoto:
    """None for a photo of NO_OBJECT, and a fault where it was given some."""
    if boxes.boxes is None or not len(boxes.boxes):
        return BoxesOfPhoto()
    fault = f"{image_id}: has a box, but {NO_OBJECT} is for photos without an object"
    return BoxesOfPhoto(faults=(fault,))


def _is_split_here(root: Path) -> bool:
    """Whether the root's own folders are classes: none is train, and some hold photos.

    The folders of a root that cannot be read are asked for again, and told, later.
    """
    if os.path.isdir(root / "train"):
        return False
    names = [n for n in folders_in(root) if n not in (*_NO_CLASSES, "val", "test")]
    return any(images_of(root / name, lambda _: None) for name in names)
