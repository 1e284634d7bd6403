"""TFRecord files read record by record, at any place."""

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from bas_tf.data.records import DataError

# uint64 length, its checksum, the record, its checksum
_LENGTH, HEADER_BYTES, FOOTER_BYTES = struct.Struct("<Q"), 12, 4


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a record is: a file, the byte it starts at, and how many it has."""

    path: str
    offset: int
    length: int

    def read(self) -> bytes:
        """The record; raises DataError when the file is no longer what it was."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                record = file.read(self.length)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(record) != self.length:
            raise DataError(f"{self.path}: became shorter while it was read")
        return record


def scan(path: str | Path) -> Iterator[tuple[Position, bytes]]:
    """Every record of a file, in order, with its position.

    Raises:
      DataError: the file is missing or ends within a record.
    """
    try:
        with open(path, "rb") as file:
            while header := file.read(HEADER_BYTES):
                offset = file.tell()
                length = _LENGTH.unpack(header[:8])[0] if len(header) >= 8 else -1
                record = file.read(length) if 0 <= length < 1 << 32 else b""
                footer = file.read(FOOTER_BYTES)
                if len(record) != length or len(footer) != FOOTER_BYTES:
                    raise DataError(f"{path}: damaged or cut off at byte {offset}")
                yield Position(str(path), offset, length), record
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: OSError) -> DataError:
    return DataError(f"{path}: not readable ({error.strerror})")


def parse_features(record: bytes, *, place: str) -> dict[str, list]:
    """A tf.train.Example as {feature: its values}.

    Raises:
      DataError: the record is none.
    """
    try:
        example = tf.train.Example.FromString(record)
    except DecodeError as error:
        raise DataError(f"{place}: not a tf.train.Example") from error
    return {
        key: list(getattr(feature, feature.WhichOneof("kind")).value)
        for key, feature in example.features.feature.items()
        if feature.WhichOneof("kind")
    }
