"""Source `folder`: your own photos, `root/<split>/<class>/<file>`, labels by folder.

Optional, for evaluation only, is one form of true boxes (several an image allowed):

  root/boxes.csv                image,x_min,y_min,x_max,y_max; half-open pixels of the
                                upright image, paths relative to root
  root/boxes.json               COCO: file_name relative to root
  root/boxes/<same path>.xml    Pascal VOC: 1-based, xmax and ymax inclusive

and `root/masks/<same path>.png`: 0 background, 255 object, 128 ignore.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotation_files import labels_of
from bas_tf.data.coco_boxes import read_coco_boxes
from bas_tf.data.csv_boxes import read_csv_boxes
from bas_tf.data.images import image_file
from bas_tf.data.listing import (
    class_folders,
    folders_in,
    images_of,
    visible_entries,
)
from bas_tf.data.records import DataError, Record
from bas_tf.data.voc_boxes import read_voc_boxes

BOX_FORMS = {
    "boxes.csv": read_csv_boxes,
    "boxes.json": read_coco_boxes,
    "boxes": read_voc_boxes,
}


class FolderSource:
    """Labelled photos in folders.

    Attributes:
      class_names: the class folders of `train`, sorted (or `class_names` as given).

    Args:
      root: the folder that holds `train/`, `val/`, `test/`.
      class_names: a trained model's classes, when evaluating: their order is the
        model's. Default: read from `train/`.

    Raises:
      DataError: root is missing, has no class folders, or a box file is wrong.
    """

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"data.root is {root!r}: no such folder")
        self.class_names = tuple(class_names or class_folders(self.root / "train"))
        self._boxes = _read_boxes(self.root)

    @property
    def splits(self) -> tuple[str, ...]:
        """The folders of the root, those of boxes and masks among them."""
        return tuple(folders_in(self.root))

    def records(self, split: str) -> list[Record]:
        """Every photo of the split, by class, then by file name.

        A class whose folder is absent or holds no photo has no records.

        Raises:
          DataError: no such split, a class that is not known, or no photo at all.
        """
        folder = self.root / split
        if not folder.is_dir():
            known = ", ".join(self.splits)
            raise DataError(f"{folder}: no such split folder; {self.root} has {known}")
        labels = labels_of(class_folders(folder), self.class_names, folder=folder)
        records = [
            record
            for name, label in labels.items()
            for record in self._records_of(f"{split}/{name}", label)
        ]
        if not records:
            raise DataError(
                f"{folder}: no images in its class folders; "
                f"expected files ending in {', '.join(decode.EXTENSIONS)}"
            )
        return records

    def _records_of(self, folder: str, label: int) -> Iterator[Record]:
        """The records of a class folder, given relative to the root."""
        masks = set(visible_entries(self.root / "masks" / folder))
        for name in images_of(self.root / folder):
            mask = PurePosixPath(name).with_suffix(".png").name
            image_id, mask_path = (
                f"{folder}/{name}",
                self.root / "masks" / folder / mask,
            )
            yield Record(
                image_id=image_id,
                label=label,
                image=image_file(self.root / image_id),
                boxes_original=self._boxes.get(image_id),
                load_mask=functools.partial(decode.decode_mask, mask_path)
                if mask in masks
                else None,
            )


def _read_boxes(root: Path) -> dict[str, np.ndarray]:
    """{image_id: float32 [n, 4]}; empty when there is no form of boxes."""
    found = [form for form in BOX_FORMS if (root / form).exists()]
    if len(found) > 1:
        raise DataError(
            f"{root}: boxes are there as {' and as '.join(found)}; keep one of them"
        )
    if not found:
        return {}
    path = root / found[0]
    boxes = BOX_FORMS[found[0]](path)
    if found[0] == "boxes":
        return _under_photos(root, boxes)
    for name in boxes:
        if not _is_photo_or_elsewhere(root, name):
            raise DataError(f"{path}: names {name!r}, which is not in {root}")
    return {PurePosixPath(name).as_posix(): value for name, value in boxes.items()}


def _is_photo_or_elsewhere(root: Path, name: str) -> bool:
    """False for a photo that should be here; whole splits may be left out."""
    try:
        return (root / name).is_file() or not (root / name).parent.is_dir()
    except OSError:  # a name that no file can have
        return False


def _under_photos(root: Path, boxes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives boxes known by a path without suffix to the photos of that path."""
    photos: dict[str, list[str]] = {}
    for folder in {str(PurePosixPath(stem).parent) for stem in boxes}:
        if (root / folder).is_dir():
            for name in images_of(root / folder):
                photo = PurePosixPath(folder, name)
                photos.setdefault(str(photo.with_suffix("")), []).append(str(photo))
    for stem in boxes:
        if stem not in photos and (root / stem).parent.is_dir():
            raise DataError(
                f"{root / 'boxes' / stem}.xml: there is no photo of that name in {root}"
            )
    return {photo: boxes[stem] for stem in boxes for photo in photos.get(stem, ())}
