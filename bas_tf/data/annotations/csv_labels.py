"""All classes of photos that show several, from a CSV file: image,classes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bas_tf.data.annotations import box_names
from bas_tf.data.annotations.annotation_files import nfc, read_csv_rows
from bas_tf.data.records import DataError
from bas_tf.errors import one_line

COLUMNS, SEPARATOR = ("image", "classes"), ";"


def read_csv_labels(
    path: Path,
    image_ids: Sequence[str],
    *,
    splits: Iterable[str],
    class_names: Sequence[str],
) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Labels of the photos that a file names.

    Args:
      path: the file: a header, then one line a photo, its classes joined by ";".
      image_ids: `<split>/<class>/<file>` of every photo; see `box_names` for the ways
        to write one. Names of a split that is not here are left out.
      splits: those that are.
      class_names: in the order of their labels.

    Returns:
      {image_id: labels in ascending order}, and faults, each with its line: another
      header, no classes or an unknown one, a photo that is not there or comes twice.
    """
    rows, faults = [], []  # name, classes, place
    try:
        for row in read_csv_rows(path, COLUMNS):
            if len(row.fields) == 2 and row.fields[1].strip(SEPARATOR + " "):
                rows.append((*row.fields, row.place))
            else:
                faults.append(
                    f"{row.place}: expected a photo, a comma and its classes joined by "
                    f"{SEPARATOR!r}"
                )
    except DataError as error:
        faults.append(one_line(error))
    labels = {nfc(name): label for label, name in enumerate(class_names)}
    photos = box_names.PhotoNames(image_ids, splits).find([name for name, *_ in rows])
    found: dict[str, tuple[int, ...]] = {}
    for (name, classes, place), image_id in zip(rows, photos, strict=True):
        if box_names.is_left_out(image_id):
            continue
        if image_id is None or image_id in found:
            which = "no photo, or several" if image_id is None else "a photo once more"
            faults.append(f"{place}: {name!r} names {which}")
            continue
        named = [text.strip() for text in classes.split(SEPARATOR) if text.strip()]
        faults += [
            f"{place}: {text!r} is not one of the {len(labels)} classes "
            f"({', '.join(class_names[:5])}…)"
            for text in named
            if nfc(text) not in labels
        ]
        known = {labels[nfc(text)] for text in named if nfc(text) in labels}
        found[image_id] = tuple(sorted(known))
    return found, faults
