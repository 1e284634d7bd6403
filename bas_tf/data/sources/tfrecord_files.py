"""TFRecord files, record by record and at any place, by TensorFlow's own reader."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.python.lib.io import tf_record

from bas_tf.data.records import DataError


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a record is: a file, and the byte it starts at."""

    path: str
    offset: int

    def read(self) -> bytes:
        """The record; raises DataError when the file is no longer what it was."""
        try:
            return tf_record.tf_record_random_reader(self.path).read(self.offset)[0]
        except (IndexError, tf.errors.OpError) as error:
            raise DataError(
                f"{self.path}: changed since it was opened ({error})"
            ) from error


def scan(path: str | Path) -> Iterator[tuple[Position, bytes]]:
    """Every record of a file, in order, with its position.

    A file that ends within a record's header ends before that record.

    Raises:
      DataError: the file is missing, or a record is damaged or cut off.
    """
    offset = 0
    try:
        reader = tf_record.tf_record_random_reader(str(path))
        while True:
            record, following = reader.read(offset)
            yield Position(str(path), offset), record
            offset = following
    except IndexError:  # the end
        return
    except tf.errors.OpError as error:
        raise DataError(f"{path}: damaged or cut off ({error.message})") from error


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
