"""True boxes and labels of ILSVRC's validation images, in the forms people have.

Corners are taken as written, in all forms alike: the published protocols do so. They
count pixels from 0 and seldom reach the last column, so they are inclusive by origin.
"""

import dataclasses
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from bas_tf.data.annotations.annotation_files import (
    group_boxes,
    read_rows,
    read_text,
    to_box,
    to_whole_number,
)
from bas_tf.data.annotations.voc_boxes import Objects, parse_objects, read_objects
from bas_tf.data.records import DataError

ARCHIVE = "ILSVRC2012_bbox_val_v3.tgz"
XML_FOLDERS = ("val", "ILSVRC2012_bbox_val_v3", "bbox_val", "Annotations/CLS-LOC/val")
VAL_GT = "val_gt.txt"
METADATA_FOLDERS = (".", "metadata", "metadata/ILSVRC/test")
FORMS = (
    f"ILSVRC2012_val_*.xml in one of {', '.join(XML_FOLDERS)}, {ARCHIVE}, {VAL_GT}, "
    f"or localization.txt and class_labels.txt in one of {', '.join(METADATA_FOLDERS)}"
)


@dataclasses.dataclass(frozen=True)
class Annotations:
    """What is known of the validation images, under their file names' stems."""

    origin: Path  # the file or folder it was read from
    boxes: dict[str, np.ndarray]  # float32 [n, 4], pixels of the image
    synsets: dict[str, str] = dataclasses.field(default_factory=dict)
    class_ids: dict[str, int] = dataclasses.field(default_factory=dict)  # or synsets


def read_annotations(root: Path) -> Annotations | None:
    """Reads the one form that is there; None without one, DataError with two."""
    found = list(_find_forms(root))
    if len(found) > 1:
        raise DataError(
            f"{root}: boxes are there as {' and as '.join(str(p) for p, _ in found)}; "
            "keep one of them"
        )
    return found[0][1](found[0][0]) if found else None


def _find_forms(root: Path) -> Iterator[tuple[Path, Callable[[Path], Annotations]]]:
    for name in XML_FOLDERS:
        if next((root / name).glob("ILSVRC2012_val_*.xml"), None):
            yield root / name, _read_xml_folder
    if (root / ARCHIVE).is_file():
        yield root / ARCHIVE, _read_xml_archive
    if (root / VAL_GT).is_file():
        yield root / VAL_GT, _read_val_gt
    for name in METADATA_FOLDERS:
        if (root / name / "localization.txt").is_file():
            yield root / name / "localization.txt", _read_localization


def _read_xml_folder(folder: Path) -> Annotations:
    paths = sorted(folder.glob("ILSVRC2012_val_*.xml"))
    return _from_objects(folder, ((str(path), read_objects(path)) for path in paths))


def _read_xml_archive(archive: Path) -> Annotations:
    found = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".xml"):
                    content = tar.extractfile(member).read()
                    place = f"{archive}/{member.name}"
                    found.append((place, parse_objects(content, place=place)))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive}: not a readable archive ({error})") from error
    return _from_objects(archive, found)


def _from_objects(origin: Path, files: Iterable[tuple[str, Objects]]) -> Annotations:
    boxes, synsets = [], {}
    for place, objects in files:
        stem = Path(place).stem
        boxes += [(stem, corners) for corners in objects.corners]
        for name in objects.names[:1]:  # all objects of an image are of its class
            synsets[stem] = name
    return Annotations(origin, group_boxes(boxes), synsets)


def _read_val_gt(path: Path) -> Annotations:
    r"""Lines `synset\file width height ; x0 y0 x1 y1 x0 y0 x1 y1…`."""
    boxes, synsets = [], {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        head, semicolon, tail = line.partition(";")
        image, corners = head.split()[:1], tail.split()
        synset, _, file = "".join(image).replace("\\", "/").rpartition("/")
        if not semicolon or len(head.split()) != 3 or not file or len(corners) % 4:
            raise DataError(
                f"{place}: {line.strip()[:60]!r}; expected "
                r"synset\file width height ; x0 y0 x1 y1 x0 y0 x1 y1…"
            )
        for i in range(0, len(corners), 4):
            boxes.append((Path(file).stem, to_box(place, corners[i : i + 4])))
        if synset:
            synsets[Path(file).stem] = synset.rstrip("/").rpartition("/")[2]
    return Annotations(path, group_boxes(boxes), synsets)


def _read_localization(path: Path) -> Annotations:
    """localization.txt, and class_labels.txt where it is next to it."""
    columns = ("image", "x0", "y0", "x1", "y1")
    boxes = (
        (Path(row.fields[0]).stem, to_box(row.place, row.fields[1:]))
        for row in read_rows(path, columns, separator=",")
    )
    labels, class_ids = path.with_name("class_labels.txt"), {}
    if labels.is_file():
        for row in read_rows(labels, ("image", "label"), separator=","):
            class_id = to_whole_number(row.place, "label", row.fields[1])
            class_ids[Path(row.fields[0]).stem] = class_id
    return Annotations(path, group_boxes(boxes), class_ids=class_ids)
