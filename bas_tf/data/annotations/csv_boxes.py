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
    """One entry for each image; several lines of one are several true boxes."""
    boxes = []
    for row in read_csv_rows(path, COLUMNS):
        image, *corners = row.fields
        boxes.append((image, to_box(f"{row.place}: {image!r}", corners)))
    return [
        ImageBoxes((image,), group, ("",) * len(group))
        for image, group in group_boxes(boxes).items()
    ]
