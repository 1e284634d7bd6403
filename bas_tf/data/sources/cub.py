"""Source `cub`: CUB-200-2011 as it is downloaded, unpacked or as CUB_200_2011.tgz.

  CUB_200_2011/images.txt  classes.txt  image_class_labels.txt  train_test_split.txt
               bounding_boxes.txt  images/<class>/*.jpg
  segmentations/<class>/*.png        optional, next to that folder (or in it), or as
                                     segmentations.tgz next to it

Splits are `train` and `test`.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import (
    read_rows,
    to_box,
    to_whole_number,
    wrong_layout,
)
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.archives import unpacked
from bas_tf.data.sources.published import PublishedSet

FOLDER, MASKS = "CUB_200_2011", "segmentations"
TABLES = {
    "images.txt": ("image_id", "image_name"),
    "classes.txt": ("class_id", "class_name"),
    "image_class_labels.txt": ("image_id", "class_id"),
    "train_test_split.txt": ("image_id", "is_training_image"),
    "bounding_boxes.txt": ("image_id", "x", "y", "width", "height"),
}
_SPLITS = {"0": "test", "1": "train"}  # train_test_split.txt: is it for training
# A mask's grey is the share of five annotators who called the pixel bird.
_MAJORITY = 128


class CubSource(PublishedSet):
    """The birds, with a true box each and, if it is there, a mask.

    The root is the folder CUB_200_2011, the one that holds it, or CUB_200_2011.tgz,
    which is unpacked next to itself.
    """

    splits = ("train", "test")

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = _find_root(root)
        self._masks = _find_masks(self._root)
        tables = {name: _Table(self._root / name) for name in TABLES}
        classes = tables["classes.txt"].column()
        self._set_classes(classes.values(), class_names, "images")
        class_ids = tables["image_class_labels.txt"].column()
        in_train = tables["train_test_split.txt"].column()
        boxes = {
            image: to_box(place, fields, has_size=True)
            for image, (place, fields) in tables["bounding_boxes.txt"].rows.items()
        }
        self._found: dict[str, list[Record]] = {split: [] for split in self.splits}
        for image, (place, (name,)) in tables["images.txt"].rows.items():
            split = _look_up(_SPLITS, in_train.get(image), place, "split")
            class_name = _look_up(classes, class_ids.get(image), place, "class")
            self._found[split].append(
                self._photo(name, self._label_of[class_name], boxes.get(image))
            )

    def _records(self, split: str) -> list[Record]:
        return self._found[split]

    def _photo(self, name: str, label: int, box: np.ndarray | None) -> Record:
        mask = self._masks and (self._masks / name).with_suffix(".png")
        return self._record(
            name,
            label,
            folder="images/",
            boxes_original=None if box is None else box[None],
            load_mask=functools.partial(_decode_votes, mask)
            if mask and mask.is_file()
            else None,
        )


class _Table:
    """A table of CUB: `rows` is {number as written: (place, the other columns)}."""

    def __init__(self, path: Path):
        self.rows: dict[str, tuple[str, list[str]]] = {}
        columns = TABLES[path.name]
        for row in read_rows(path, columns):
            number = row.fields[0]
            to_whole_number(row.place, columns[0], number)
            if number in self.rows:
                raise DataError(f"{row.place}: number {number} is there twice")
            self.rows[number] = row.place, row.fields[1:]
        if not self.rows:
            raise DataError(f"{path}: is empty")

    def column(self) -> dict[str, str]:
        """{number: its one other column}."""
        return {number: fields[0] for number, (_, fields) in self.rows.items()}


def _look_up(table: dict[str, str], key: str | None, place: str, what: str) -> str:
    if key not in table:
        few = ", ".join(list(table)[:5]) + ("…" if len(table) > 5 else "")
        raise DataError(f"{place}: its {what} is {key!r}; known: {few}")
    return table[key]


def _decode_votes(path: Path) -> np.ndarray:
    """Pixels that most annotators called bird: uint8 [height, width], 0 or 255."""
    votes = decode.decode_mask(path)
    return np.where(votes >= _MAJORITY, 255, 0).astype(np.uint8)


def _find_root(root: str) -> Path:
    path = Path(root)
    if path.is_file():
        path = unpacked(path, FOLDER)
    elif not path.is_dir():
        raise DataError(f"data.root is {root!r}: no such folder or archive")
    for folder in (path, path / FOLDER):
        if (folder / "images.txt").is_file():
            return folder
    raise wrong_layout(
        path, f"CUB-200-2011: {', '.join(TABLES)} and images/, or {FOLDER}.tgz itself"
    )


def _find_masks(root: Path) -> Path | None:
    for folder in (root / MASKS, root.parent / MASKS):
        if folder.is_dir():
            return folder
    archive = root.parent / f"{MASKS}.tgz"
    return unpacked(archive, MASKS) if archive.is_file() else None
