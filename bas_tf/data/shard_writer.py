"""Writes a source's records as shards; `bas_tf/data/shards.py` reads them."""

import io
import json
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from bas_tf.data import tfrecord_files
from bas_tf.data.bad_images import guard_source
from bas_tf.data.records import Record, Source
from bas_tf.data.shards import FORMAT, TABLE, Index, index_name
from bas_tf.errors import DataError, UserError

BYTES_PER_FILE = 128 << 20  # a file is closed once it has as many


def check_target(folder: Path) -> None:
    """Raises UserError where something is that shards would overwrite."""
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
      folder: to be made; may be there empty.
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
            counts, files = {}, {}
            for split in splits:
                records = guarded.records(split)
                if not records:
                    raise DataError(f"split {split!r} has no images to write")
                files[split] = _write_split(records, split, partial, bytes_per_file)
                counts[split] = len(records)
            table = {
                "format": FORMAT, "classes": list(source.class_names), "splits": files,
            }  # fmt: skip
            (partial / TABLE).write_text(
                json.dumps(table, indent=2) + "\n", encoding="utf-8"
            )
            partial.replace(folder)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"--write_shards={folder}: cannot be written ({error})") from (
            error
        )
    return counts


def _write_split(
    records: Sequence[Record], split: str, folder: Path, bytes_per_file: int
) -> list[str]:
    """Writes a split's files and its index; returns the files' names."""
    files: list[str] = []
    rows, boxes, writer, offset = [], [np.empty([0, 4], np.float32)], None, 0
    for record in tqdm(records, desc=f"writing {split}", unit="image", disable=None):
        if writer is None:
            files.append(f"{split}-{len(files):05d}.tfrecord")
            writer, offset = tf.io.TFRecordWriter(str(folder / files[-1])), 0
        content, upright = _serialize(record)
        writer.write(content)
        start = offset + tfrecord_files.HEADER_BYTES
        offset = start + len(content) + tfrecord_files.FOOTER_BYTES
        known = record.boxes_original is not None
        rows.append(
            (
                len(files) - 1, start, len(content), zlib.crc32(content), record.label,
                _name(record), upright, record.load_mask is not None,
                len(record.boxes_original) if known else -1,
            )
        )  # fmt: skip
        if known:
            boxes.append(np.reshape(record.boxes_original, (-1, 4)))
        if offset >= bytes_per_file:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    _write_index(rows, np.concatenate(boxes), folder / index_name(split))
    return files


def _serialize(record: Record) -> tuple[bytes, bool]:
    """A tf.train.Example with the features of `shards.EXAMPLE`; and upright."""
    content, upright = record.image.encode()
    features = {
        "image": _bytes(content),
        "upright": _int(upright),
        "image_id": _bytes(_name(record)),
        "label": _int(record.label),
    }
    if record.boxes_original is not None:
        corners = np.ravel(record.boxes_original)
        features["boxes"] = tf.train.Feature(
            float_list=tf.train.FloatList(value=corners)
        )
    if record.load_mask is not None:
        png = io.BytesIO()
        Image.fromarray(record.load_mask()).save(png, "PNG")
        features["mask"] = _bytes(png.getvalue())
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(), upright


def _write_index(rows: Sequence[tuple], boxes: np.ndarray, path: Path) -> None:
    kinds = (
        np.int32, np.int64, np.int64, np.uint32, np.int32, np.bytes_, bool, bool,
        np.int32,
    )  # fmt: skip
    columns = [
        np.array(column, kind)
        for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    index = Index(*columns, boxes=boxes.astype(np.float32))
    np.savez_compressed(path, **vars(index))


def _name(record: Record) -> bytes:
    """UTF-8, or the bytes of a file's name that is none."""
    return record.image_id.encode(errors="surrogateescape")


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
