"""All classes of photos that show several, from a CSV file: image,classes."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from bas_tf.data.annotations import box_names
from bas_tf.data.annotations.annotation_files import read_csv_rows
from bas_tf.data.records import DataError

COLUMNS, SEPARATOR = ("image", "classes"), ";"


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
    rows = []  # name, classes, place
    for row in read_csv_rows(path, COLUMNS):
        if len(row.fields) != 2 or not row.fields[1].strip(SEPARATOR + " "):
            raise DataError(
                f"{row.place}: expected a photo, a comma and its classes joined by "
                f"{SEPARATOR!r}"
            )
        rows.append((*row.fields, row.place))
    labels = {_fold(name): label for label, name in enumerate(class_names)}
    photos = box_names.PhotoNames(image_ids, splits).find([name for name, *_ in rows])
    found: dict[str, tuple[int, ...]] = {}
    for (name, classes, place), image_id in zip(rows, photos, strict=True):
        if box_names.is_left_out(image_id):
            continue
        if image_id is None or image_id in found:
            which = "no photo, or several" if image_id is None else "a photo once more"
            raise DataError(f"{place}: {name!r} names {which}")
        named = [text.strip() for text in classes.split(SEPARATOR) if text.strip()]
        for text in named:
            if _fold(text) not in labels:
                raise DataError(
                    f"{place}: {text!r} is not one of the {len(labels)} classes "
                    f"({', '.join(class_names[:5])}…)"
                )
        found[image_id] = tuple(sorted({labels[_fold(text)] for text in named}))
    return found


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name)
