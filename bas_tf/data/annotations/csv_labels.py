"""All classes of photos that show several, from a CSV file: image,classes."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from bas_tf.data.annotations import box_names
from bas_tf.data.annotations.annotation_files import read_text
from bas_tf.data.records import DataError

HEADER, SEPARATOR = ["image", "classes"], ";"


def read_csv_labels(
    path: Path,
    image_ids: Sequence[str],
    *,
    splits: Iterable[str],
    class_names: Sequence[str],
) -> dict[str, tuple[int, ...]]:
    """{image_id: labels in ascending order} of the photos that a file names.

    Args:
      path: the file: a header, then one line a photo, its classes joined by ";".
      image_ids: `<split>/<class>/<file>` of every photo; see `box_names` for the ways
        to write one. Names of a split that is not here are left out.
      splits: those that are.
      class_names: in the order of their labels.

    Raises:
      DataError: another header, a line without classes or with an unknown one, a
        photo that is not there or comes twice; names the line.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows = []  # name, classes, line
    try:
        if (header := next(reader, [])) != HEADER:
            raise DataError(
                f"{path}: first line is {','.join(header)[:80]!r}; expected "
                f"{','.join(HEADER)!r}"
            )
        for row in filter(None, reader):
            if len(row) != 2 or not row[1].strip(SEPARATOR + " "):
                raise DataError(
                    f"{path}:{reader.line_num}: expected a photo, a comma and its "
                    f"classes joined by {SEPARATOR!r}"
                )
            rows.append((*row, reader.line_num))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not valid CSV ({error})") from error
    labels = {_fold(name): label for label, name in enumerate(class_names)}
    photos = box_names.PhotoNames(image_ids, splits).find([name for name, *_ in rows])
    found: dict[str, tuple[int, ...]] = {}
    for (name, classes, line), image_id in zip(rows, photos, strict=True):
        if box_names.is_left_out(image_id):
            continue
        if image_id is None or image_id in found:
            which = "no photo, or several" if image_id is None else "a photo once more"
            raise DataError(f"{path}:{line}: {name!r} names {which}")
        named = [text.strip() for text in classes.split(SEPARATOR) if text.strip()]
        for text in named:
            if _fold(text) not in labels:
                raise DataError(
                    f"{path}:{line}: {text!r} is not one of the {len(labels)} classes "
                    f"({', '.join(class_names[:5])}…)"
                )
        found[image_id] = tuple(sorted({labels[_fold(text)] for text in named}))
    return found


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name)
