"""Annotation files of other people's making.

All readers of this folder raise a DataError that names the file and line, or entry, of
what is wrong, or the file that is missing or of another form.
"""

import csv
import dataclasses
import io
import os
import reprlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bas_tf.data.records import DataError, OnFault, raise_fault

_ENTRIES_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class Row:
    """The columns of one line of a table; `place` is "file:line", for errors."""

    place: str
    fields: list[str]


@dataclasses.dataclass(frozen=True)
class ImageBoxes:
    """What a box file says of one image."""

    names: tuple[str, ...]  # what it may be called, the surest first, as in messages
    boxes: np.ndarray  # float32 [n, 4], half-open, pixels of the annotated picture
    categories: tuple[str, ...]  # n names of what the boxes are of; "" without
    size_wh: tuple[int, int] | None = None  # of that picture, where it is stated
    slips: tuple[str, ...] = ()  # wrong, but changes no box by more than a pixel


def stated_size(width, height) -> tuple[int, int] | None:
    """A width and height as a file states them; None where one is missing or 0."""
    try:
        size = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def read_text(path: str | Path) -> str:
    """A whole UTF-8 file, with or without a byte order mark."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from error


def read_rows(
    path: str | Path, columns: Sequence[str], *, separator: str | None = None
) -> Iterator[Row]:
    """The lines of a table without a header; empty ones are skipped.

    Args:
      path: the file.
      columns: the columns' names; every line has as many.
      separator: between columns; None is any white space.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        fields = line.strip().split(separator)
        if len(fields) != len(columns):
            raise DataError(
                f"{path}:{number}: {reprlib.repr(line.strip())}; expected the "
                f"{len(columns)} columns {(separator or ' ').join(columns)}"
            )
        yield Row(f"{path}:{number}", fields)


def read_csv_rows(path: str | Path, columns: Sequence[str]) -> Iterator[Row]:
    """The lines of a CSV file below its header, `columns`; empty ones are skipped."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        if (header := next(reader, [])) != list(columns):
            raise DataError(
                f"{path}: first line is {','.join(header)[:80]!r}; expected "
                f"{','.join(columns)!r}"
            )
        for fields in filter(None, reader):
            yield Row(f"{path}:{reader.line_num}", fields)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not valid CSV ({error})") from error


def to_whole_number(place: str, name: str, text: str) -> int:
    """A column as an integer that is not negative."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise DataError(
            f"{place}: {name} is {reprlib.repr(text)}; expected a whole number"
        )
    return int(text)


def to_box(
    place: str, numbers: Sequence[str | float | None], *, has_size: bool = False
) -> np.ndarray:
    """Four corners x0, y0, x1, y1 as they are: float32 [4].

    An inverted or empty box is a box too: bas_tf.check_data lists it, and evaluation
    leaves it out and counts it.

    Args:
      place: for the error.
      numbers: the corners, or x0, y0, width and height.
      has_size: whether they are the latter; x1 is x0 + width.

    Raises:
      DataError: they are not four finite numbers.
    """
    try:
        values = np.array([float(number) for number in numbers], np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    # What is beyond float32 becomes infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        if has_size and len(values) == 4:
            values[2:] += values[:2]
        box = values.astype(np.float32)
    if len(box) != 4 or not np.isfinite(box).all():
        raise DataError(
            f"{place}: a box is four finite numbers, not {reprlib.repr(numbers)}"
        )
    return box


def group_boxes(boxes: Iterable[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """(image, float32 [4]) pairs as {image: float32 [n, 4]}, in their order."""
    groups: dict[str, list[np.ndarray]] = {}
    for image_id, box in boxes:
        groups.setdefault(image_id, []).append(box)
    return {image_id: np.stack(group) for image_id, group in groups.items()}


def labels_of(
    names: Iterable[str],
    class_names: Sequence[str],
    *,
    folder: Path,
    on_fault: OnFault = raise_fault,
) -> dict[str, int]:
    """{class: label} of the classes of a data set, in a model's numbering and order.

    Names that differ in Unicode form only are one class.

    Args:
      names: the data's classes.
      class_names: the model's.
      folder: where the class folders lie, for the error.
      on_fault: gets the DataError of each class that the model does not know, which
        is left out.
    """
    known = {nfc(name): label for label, name in enumerate(class_names)}
    labels = {name: known.get(nfc(name)) for name in set(names)}
    for name in sorted(name for name, label in labels.items() if label is None):
        error = (
            f"{folder / name}: not one of the "
            f"{len(class_names)} classes ({', '.join(class_names[:5])}…)"
        )
        on_fault(DataError(error))
    known_labels = {n: label for n, label in labels.items() if label is not None}
    return dict(sorted(known_labels.items(), key=lambda item: item[1]))


def nfc(name: str) -> str:
    """Equal for names that differ in Unicode form alone."""
    return unicodedata.normalize("NFC", name)


def wrong_layout(root: str | Path, expected: str) -> DataError:
    """The error that shows what a folder holds and what it should."""
    try:
        entries = sorted(os.listdir(root))
    except OSError as error:
        return DataError(f"{root}: not a readable folder ({error.strerror})")
    shown = ", ".join(repr(entry) for entry in entries[:_ENTRIES_SHOWN])
    more = f" and {len(entries) - _ENTRIES_SHOWN} more" * (
        len(entries) > _ENTRIES_SHOWN
    )
    return DataError(f"{root}: holds {shown or 'nothing'}{more}; expected {expected}")
