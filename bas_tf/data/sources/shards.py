"""Source `shards`: any source's records in a few large files (array_record).

  DIR/shards.array_record          JSON: classes and files; then the rows of each split
  DIR/<split>-00000.array_record   image files, as they are; after an image its mask

The rows let a split open without reading its images. The format checks every record
that it reads, so a changed byte is an error, never another image. Masks by class are
not kept.
"""

import functools
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import wrong_layout
from bas_tf.data.bad_images import guard_source
from bas_tf.data.images import StoredImage, png
from bas_tf.data.records import DataError, Record, Source
from bas_tf.data.sources.published import PublishedSet
from bas_tf.errors import UserError, import_extra

FORMAT = "bas_tf shards 2"
TABLE = "shards.array_record"
BYTES_PER_FILE = 1 << 30  # a file is closed once it has as many
_ANY_ORDER = "readahead_buffer_size:0,max_parallelism:0"
_AS_THEY_ARE = "group_size:1,uncompressed"  # photos hardly shrink


class Row(NamedTuple):
    """What is known of a record without reading its image."""

    image_id: str
    label: int
    upright: bool  # see `StoredImage`
    boxes: list[list[float]] | None  # rows of `Record.boxes_original`
    file: int  # which of the split's files
    position: int  # of the image in it; a mask is the record after it
    has_mask: bool
    other_labels: Sequence[int] = ()  # tables of older versions lack them


class ShardFile:
    """A file that is opened at its first read; several threads may read it."""

    def __init__(self, path: Path):
        self.path = path

    @functools.cached_property
    def _reader(self):
        return _array_record().ArrayRecordReader(str(self.path), _ANY_ORDER)

    def read(self, position: int) -> bytes:
        """A record's bytes; raises DataError when they are not those written."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file")
        try:
            return self._reader.read([position])[0]
        except RuntimeError as error:
            raise DataError(
                f"{self.path}: record {position} is damaged or cut off; "
                "write the shards again"
            ) from error


class ShardSource(PublishedSet):
    """Records in the shards that `check_data --write_shards` made."""

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        if not (self._root / TABLE).is_file():
            made = "`python -m bas_tf.check_data --write_shards=DIR` makes"
            raise wrong_layout(self._root, f"{TABLE}, as {made}")
        self._table = ShardFile(self._root / TABLE)
        table = _parse(self._table, 0)
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise DataError(f"{self._root / TABLE}: not {FORMAT!r}; write it again")
        self._files: dict[str, list[str]] = table["splits"]
        self.splits = tuple(self._files)
        self._set_classes(table["classes"], class_names)
        self._labels = [self._label_of[name] for name in table["classes"]]

    def _records(self, split: str) -> list[Record]:
        files = [ShardFile(self._root / name) for name in self._files[split]]
        for file in files:
            if not file.path.is_file():
                raise DataError(f"{file.path}: no such file, but {TABLE} names it")
        rows = _parse(self._table, 1 + self.splits.index(split))
        return [
            _record(row, files[row.file], self._labels)
            for row in itertools.starmap(Row, rows)
        ]


def _parse(table: ShardFile, position: int):
    try:
        return json.loads(table.read(position))
    except ValueError as error:
        raise DataError(f"{table.path}: not a table of shards ({error})") from error


def _record(row: Row, file: ShardFile, labels: Sequence[int]) -> Record:
    """`labels` are those of the table's classes."""
    name = f"{row.image_id} ({file.path}, record {row.position})"

    def load_mask() -> np.ndarray:
        content = file.read(row.position + 1)
        return decode.mask_from_bytes(content, f"mask of {name}")

    boxes = row.boxes
    if boxes is not None:
        boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Record(
        image_id=row.image_id,
        label=labels[row.label],
        image=StoredImage(
            functools.partial(file.read, row.position), name, upright=row.upright
        ),
        boxes_original=boxes,
        load_mask=load_mask if row.has_mask else None,
        other_labels=tuple(labels[i] for i in row.other_labels),
    )


def check_target(folder: Path) -> None:
    """Raises UserError if shards would overwrite something."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"--write_shards={folder}: exists; name a new folder")


def write_shards(
    source: Source,
    splits: Sequence[str],
    folder: Path,
    *,
    on_bad_image: str = "error",
    bytes_per_file: int = BYTES_PER_FILE,
) -> dict[str, int]:
    """Writes splits of a source; the folder appears whole or not at all.

    Image files are taken over as they are, drawings and masks as PNG. Every image is
    decoded once before it is written.

    Args:
      source: any.
      splits: which of its splits.
      folder: to be made; may exist if it is empty.
      on_bad_image: "error" writes nothing when an image cannot be read; "skip" leaves
        it out and lists it in the folder.
      bytes_per_file: a new file begins after as many.

    Returns:
      {split: records written}.

    Raises:
      UserError: the folder exists, or cannot be written.
      DataError: an image or mask cannot be read, or a split has no records.
    """
    check_target(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f".{folder.name}."
        ) as name:
            partial = Path(name) / "shards"
            partial.mkdir()
            guarded = guard_source(source, on_bad_image=on_bad_image, folder=partial)
            rows = {
                split: _write_split(guarded, split, partial, bytes_per_file)
                for split in splits
            }
            _write_table(rows, source.class_names, partial / TABLE)
            partial.replace(folder)
    except (OSError, RuntimeError) as error:  # array_record's own is the latter
        raise UserError(f"--write_shards={folder}: cannot be written ({error})") from (
            error
        )
    return {split: len(of_split) for split, of_split in rows.items()}


def _write_split(
    source: Source, split: str, folder: Path, bytes_per_file: int
) -> list[Row]:
    records = source.records(split)
    if not records:
        raise DataError(f"split {split!r} has no images to write")
    rows, file, writer = [], -1, None
    for record in tqdm(records, desc=f"writing {split}", unit="image", disable=None):
        if writer is None:
            file, position, size = file + 1, 0, 0
            path = folder / _file_name(split, file)
            writer = _array_record().ArrayRecordWriter(str(path), _AS_THEY_ARE)
        image, upright = record.image.encode()
        contents = [image, *([png(record.load_mask())] if record.load_mask else [])]
        for content in contents:
            writer.write(content)
        boxes = record.boxes_original
        rows.append(
            Row(
                record.image_id, int(record.label), upright,
                None if boxes is None else np.asarray(boxes, np.float32).tolist(),
                file, position, len(contents) > 1, list(map(int, record.other_labels)),
            )
        )  # fmt: skip
        position, size = position + len(contents), size + sum(map(len, contents))
        if size >= bytes_per_file:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    return rows


def _file_name(split: str, number: int) -> str:
    return f"{split}-{number:05d}.array_record"


def _write_table(
    rows: Mapping[str, Sequence[Row]], class_names: Sequence[str], path: Path
) -> None:
    files = {
        split: [_file_name(split, number) for number in range(1 + of_split[-1].file)]
        for split, of_split in rows.items()
    }
    table = {"format": FORMAT, "classes": list(class_names), "splits": files}
    writer = _array_record().ArrayRecordWriter(str(path), "group_size:1")
    for part in (table, *rows.values()):
        writer.write(json.dumps(part).encode())
    writer.close()


def _array_record() -> ModuleType:
    return import_extra("array_record.python.array_record_module", "tfds")
