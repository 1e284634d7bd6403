"""Source `folder`: your own photos, `root/<split>/<class>/<file>`, labels by folder.

Optional, for evaluation only: `root/boxes.csv` (image,x_min,y_min,x_max,y_max; paths
relative to root, pixels of the upright image, half-open; several rows an image allowed)
and `root/masks/<same path>.png`.
"""

import csv
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode
from bas_tf.data.records import DataError, Record

BOX_COLUMNS = ("image", "x_min", "y_min", "x_max", "y_max")


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
        self.class_names = tuple(class_names or _class_folders(self.root / "train"))
        self._boxes = _read_boxes(self.root)

    def records(self, split: str) -> list[Record]:
        """Every photo of the split, by class, then by file name."""
        folder = self.root / split
        if not folder.is_dir():
            known = ", ".join(sorted(p.name for p in self.root.iterdir() if p.is_dir()))
            raise DataError(f"{folder}: no such split folder; {self.root} has {known}")
        unknown = set(_class_folders(folder)) - set(self.class_names)
        if unknown:
            raise DataError(
                f"{folder / min(unknown)}: not one of the "
                f"{len(self.class_names)} classes ({', '.join(self.class_names[:5])}…)"
            )
        return [
            self._record(path, label)
            for label, name in enumerate(self.class_names)
            for path in _images_of(folder / name)
        ]

    def _record(self, path: Path, label: int) -> Record:
        image_id = path.relative_to(self.root).as_posix()
        mask = (self.root / "masks" / image_id).with_suffix(".png")
        return Record(
            image_id=image_id,
            label=label,
            load_image=functools.partial(decode.decode_image, path),
            boxes_original=self._boxes.get(image_id),
            load_mask=functools.partial(decode.decode_mask, mask)
            if mask.is_file()
            else None,
        )


def _class_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; class names are read from it")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if not names:
        raise DataError(f"{folder}: no class folders in it; expected {folder}/<class>/")
    return names


def _images_of(folder: Path) -> list[Path]:
    if not folder.is_dir():  # a class may be absent from val or test
        return []
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in decode.EXTENSIONS)
    if not paths:
        raise DataError(
            f"{folder}: no images in this class folder; "
            f"expected files ending in {', '.join(decode.EXTENSIONS)}"
        )
    return paths


def _read_boxes(root: Path) -> dict[str, np.ndarray]:
    """boxes.csv as {image_id: float32 [n, 4]}; empty when there is no file."""
    path = root / "boxes.csv"
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != BOX_COLUMNS:
            raise DataError(
                f"{path}: first line is {','.join(reader.fieldnames or ())!r}; "
                f"expected {','.join(BOX_COLUMNS)!r}"
            )
        rows = [(row["image"], _parse_box(path, row)) for row in reader]
    boxes: dict[str, list] = {}
    for image_id, box in rows:
        boxes.setdefault(image_id, []).append(box)
    for image_id in boxes:
        if not (root / image_id).is_file() and (root / image_id).parent.is_dir():
            raise DataError(f"{path}: names {image_id!r}, which is not in {root}")
    return {key: np.asarray(value, np.float32) for key, value in boxes.items()}


def _parse_box(path: Path, row: dict) -> list[float]:
    try:
        box = [float(row[column]) for column in BOX_COLUMNS[1:]]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {row['image']}: a box is four numbers") from error
    if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
        raise DataError(
            f"{path}: {row['image']}: box {box} is empty or inverted; "
            "expected x_min < x_max and y_min < y_max"
        )
    return box
