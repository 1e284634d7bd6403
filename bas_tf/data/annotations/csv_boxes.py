"""True boxes from a CSV file: image,x_min,y_min,x_max,y_max."""

from pathlib import Path

from bas_tf.data.annotations.annotation_files import (
    ImageBoxes,
    group_boxes,
    read_csv_rows,
    to_box,
)

COLUMNS = ("image", "x_min", "y_min", "x_max", "y_max")


def read_csv_boxes(path: Path) -> list[ImageBoxes]:
    """Every box of a file; several lines of one image are several true boxes.

    Returns:
      One entry for each image, without categories and sizes.

    Raises:
      DataError: the header is another, or a line is wrong; it names the line.
    """
    boxes = []
    for row in read_csv_rows(path, COLUMNS):
        image, *corners = row.fields
        boxes.append((image, to_box(f"{row.place}: {image!r}", corners)))
    return [
        ImageBoxes((image,), group, ("",) * len(group))
        for image, group in group_boxes(boxes).items()
    ]
