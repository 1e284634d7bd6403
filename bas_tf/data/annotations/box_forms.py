"""The forms of box files, and which reader reads each."""

from collections.abc import Callable
from pathlib import Path

from bas_tf.data.annotations.annotation_files import ImageBoxes
from bas_tf.data.annotations.coco_boxes import read_coco_boxes
from bas_tf.data.annotations.csv_boxes import read_csv_boxes
from bas_tf.data.annotations.voc_boxes import read_voc_boxes
from bas_tf.data.records import DataError

_STEM = "boxes"
_READERS: dict[str, Callable[[Path], list[ImageBoxes]]] = {  # "" is a folder
    ".csv": read_csv_boxes,
    ".json": read_coco_boxes,
    "": read_voc_boxes,
}


def find_boxes(root: Path) -> Path | None:
    """The box file in a folder of photos, or their folder; DataError with several."""
    found = [
        _STEM + suffix for suffix in _READERS if (root / f"{_STEM}{suffix}").exists()
    ]
    if len(found) > 1:
        raise DataError(f"{root}: holds boxes as {' and '.join(found)}; keep one")
    return root / found[0] if found else None


def read_boxes(path: Path) -> list[ImageBoxes]:
    """The boxes of a .csv file, a COCO .json file, or a folder of Pascal VOC files."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    reader = _READERS.get("" if path.is_dir() else path.suffix.lower() or "file")
    if reader is None:
        raise DataError(
            f"{path}: expected a .csv file, a COCO .json file, or a folder of Pascal "
            "VOC files"
        )
    return reader(path)
