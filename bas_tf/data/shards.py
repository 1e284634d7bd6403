"""Source `shards`: any source's records in large files, as `check_data` writes them.

  DIR/shards.json                 classes and splits, with the files of each
  DIR/<split>-00000.tfrecord      records, see `EXAMPLE`
  DIR/<split>.index.npz           where each record lies, its label and its boxes

The index lets a split open without reading its files, and any order be read. The files
alone are what other readers of TFRecord need: a tf.train.Example a record.
"""

import dataclasses
import functools
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode, tfrecord_files
from bas_tf.data.annotation_files import labels_of, unknown_split, wrong_layout
from bas_tf.data.images import StoredImage
from bas_tf.data.records import DataError, Record
from bas_tf.errors import one_line

FORMAT = "bas_tf shards 1"
TABLE = "shards.json"
# Features of a record. Only image, upright and mask are read from it again.
EXAMPLE = {
    "image": "content of an image file",
    "upright": "1 where EXIF's orientation applies to it, else 0",
    "image_id": "the record's name",
    "label": "class id, in the order of classes in shards.json",
    "boxes": "x0, y0, x1, y1 of every true box, half-open pixels; absent if unknown",
    "mask": "PNG of 0 background, 255 object, 128 ignore; absent if there is none",
}


def index_name(split: str) -> str:
    """The file that says where the records of a split lie."""
    return f"{split}.index.npz"


@dataclasses.dataclass(frozen=True)
class Index:
    """Where the n records of a split lie, and what is known without reading them.

    Attributes:
      file_id: int32 [n], position in the split's list of files.
      offset, length: int64 [n], of the record's bytes in it.
      checksum: uint32 [n], zlib.crc32 of those bytes.
      label: int32 [n], in the order of the shards' own classes.
      image_id: bytes [n], UTF-8, or those of a file's name that is none.
      upright, has_mask: bool [n].
      num_boxes: int32 [n], -1 where boxes are unknown.
      boxes: float32 [sum of num_boxes > 0, 4], half-open pixels, record by record.
    """

    file_id: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    checksum: np.ndarray
    label: np.ndarray
    image_id: np.ndarray
    upright: np.ndarray
    has_mask: np.ndarray
    num_boxes: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.file_id)

    def boxes_of_records(self) -> list[np.ndarray | None]:
        """float32 [m, 4] of each record, None where unknown."""
        counts = np.maximum(self.num_boxes, 0)
        parts = np.split(self.boxes, np.cumsum(counts)[:-1]) if len(self) else []
        return [
            None if count < 0 else part
            for count, part in zip(self.num_boxes, parts, strict=True)
        ]


class ShardSource:
    """Records in shards.

    Attributes:
      class_names: as they were written (or `class_names` as given).
      splits: those that were written.

    Args:
      root: the folder that `check_data --write_shards` made.
      class_names: a trained model's classes, when evaluating: their order is the
        model's.

    Raises:
      DataError: no such folder, or a table that is none.
    """

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        table = _read_table(self._root)
        self._files: dict[str, list[str]] = table["splits"]
        self._own_names: list[str] = table["classes"]
        self.splits = tuple(self._files)
        self.class_names = tuple(class_names or self._own_names)

    def records(self, split: str) -> list[Record]:
        """The records of a split, in the order of the source they came from."""
        if split not in self._files:
            raise unknown_split(self._root, split, self.splits)
        label_of = labels_of(self._own_names, self.class_names, folder=self._root)
        labels = [label_of[name] for name in self._own_names]
        index = _read_index(self._root, split, self._files[split], len(labels))
        boxes = index.boxes_of_records()
        return [
            self._record(split, index, i, labels[index.label[i]], boxes[i])
            for i in range(len(index))
        ]

    def _record(
        self, split: str, index: Index, i: int, label: int, boxes: np.ndarray | None
    ) -> Record:
        place = _Place(
            tfrecord_files.Position(
                str(self._root / self._files[split][index.file_id[i]]),
                int(index.offset[i]),
                int(index.length[i]),
            ),
            int(index.checksum[i]),
            index.image_id[i].decode(errors="surrogateescape"),
        )
        image = StoredImage(
            functools.partial(place.read, "image"),
            str(place),
            upright=bool(index.upright[i]),
        )
        return Record(
            image_id=place.image_id,
            label=label,
            image=image,
            boxes_original=boxes,
            load_mask=place.load_mask if index.has_mask[i] else None,
        )


@dataclasses.dataclass(frozen=True)
class _Place:
    """A record in a file, read anew each time."""

    position: tfrecord_files.Position
    checksum: int
    image_id: str

    def __str__(self) -> str:
        return f"{self.image_id} ({self.position.path}, byte {self.position.offset})"

    def read(self, key: str) -> bytes:
        """A feature of the record; raises DataError when its bytes have changed."""
        content = self.position.read()
        if zlib.crc32(content) != self.checksum:
            raise DataError(
                f"{self}: its bytes are not those that were written; "
                "write the shards again"
            )
        features = tfrecord_files.parse_features(content, place=str(self))
        return features[key][0]

    def load_mask(self) -> np.ndarray:
        """uint8 [height, width]."""
        return decode.mask_from_bytes(self.read("mask"), f"mask of {self}")


def _read_table(root: Path) -> Mapping:
    path = root / TABLE
    if not path.is_file():
        raise wrong_layout(
            root, f"{TABLE}, as `python -m bas_tf.check_data --write_shards=DIR` makes"
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        is_known = table["format"] == FORMAT and all(table["splits"].values())
        is_known = is_known and bool(table["classes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a table of shards ({error!r})") from error
    if not is_known:
        raise DataError(
            f"{path}: format is {table['format']!r}; expected {FORMAT!r} with classes "
            "and files; write the shards again"
        )
    return table


def _read_index(
    root: Path, split: str, files: Sequence[str], num_classes: int
) -> Index:
    path = root / index_name(split)
    content = decode.read_file(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            index = Index(**arrays)
        _check_index(index, len(files), num_classes)
    except Exception as error:  # broken bytes fail in more ways than NumPy documents
        raise DataError(
            f"{path}: not an index ({one_line(error)}); write the shards again"
        ) from error
    for name in files:
        if not (root / name).is_file():
            raise DataError(f"{root / name}: no such file, but {TABLE} names it")
    return index


def _check_index(index: Index, num_files: int, num_classes: int) -> None:
    """Raises ValueError where arrays do not fit each other or the table."""
    columns = dataclasses.asdict(index)
    num_boxes = np.maximum(columns.pop("num_boxes"), 0).sum()
    boxes = columns.pop("boxes")
    if {column.shape for column in columns.values()} != {index.num_boxes.shape}:
        raise ValueError("columns of different lengths")
    if boxes.shape != (num_boxes, 4):
        raise ValueError(f"{num_boxes} boxes expected, has {boxes.shape}")
    for name, limit in (("file_id", num_files), ("label", num_classes)):
        if len(index) and not 0 <= columns[name].min() <= columns[name].max() < limit:
            raise ValueError(f"{name} outside 0 to {limit - 1}")
