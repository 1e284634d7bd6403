"""True boxes from a CSV file: image,x_min,y_min,x_max,y_max."""

import csv
import io
from pathlib import Path

from bas_tf.data.annotations.annotation_files import (
    ImageBoxes,
    group_boxes,
    read_text,
    to_box,
)
from bas_tf.data.records import DataError

COLUMNS = ("image", "x_min", "y_min", "x_max", "y_max")


def read_csv_boxes(path: Path) -> list[ImageBoxes]:
    """Every box of a file; several lines of one image are several true boxes.

    Returns:
      One entry for each image, without categories and sizes.

    Raises:
      DataError: the header is another, or a line is wrong; it names the line.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    boxes = []
    try:
        header = tuple(next(reader, ()))
        if header != COLUMNS:
            raise DataError(
                f"{path}: first line is {','.join(header)[:80]!r}; "
                f"expected {','.join(COLUMNS)!r}"
            )
        for row in reader:
            if row:
                place = f"{path}:{reader.line_num}: {row[0]!r}"
                boxes.append((row[0], to_box(place, row[1:])))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not valid CSV ({error})") from error
    return [
        ImageBoxes((image,), group, ("",) * len(group))
        for image, group in group_boxes(boxes).items()
    ]
