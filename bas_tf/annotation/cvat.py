"""CVAT's upload in the format COCO 1.0, and the labels of its task.

CVAT matches photos by their path without the ending, takes an object without a
segmentation as a rectangle and one with RLE as a mask, and drops objects and attributes
that the task's labels do not have.
"""

from pathlib import Path

from bas_tf import files
from bas_tf.annotation import coco
from bas_tf.annotation.data_set import DataSet

FILE, LABELS_FILE = "annotations/instances_default.json", "labels.json"


def write(data: DataSet, output: Path) -> None:
    """Writes the annotations, and what to paste as the task's labels under "Raw"."""
    attributes = [
        _attribute("score", "number", "0", ["0", "1", "0.000001"]),
        _attribute("degenerate", "checkbox", "false", ["false"]),
    ]
    labels = [{"name": name, "attributes": attributes} for name in data.class_names]
    files.write_json(output / LABELS_FILE, labels)
    coco.write(data, output, file_name=FILE)


def _attribute(name: str, kind: str, default: str, values: list[str]) -> dict:
    return {
        "name": name,
        "mutable": False,
        "input_type": kind,
        "default_value": default,
        "values": values,
    }
