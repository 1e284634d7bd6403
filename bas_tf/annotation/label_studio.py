"""Label Studio: tasks.json, and the labelling config that it fits.

Photos are served as local files: LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT is the folder
above that of the photos, and the project's local storage is that of the photos.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from bas_tf import files
from bas_tf.annotation import polygons
from bas_tf.annotation.data_set import DataSet, Object, Photo
from bas_tf.annotation.json_list import write_list
from bas_tf.refinement import masks

FILE, CONFIG_FILE = "tasks.json", "labeling_config.xml"
_IMAGE = "image"
_RECTANGLES, _POLYGONS = "rectanglelabels", "polygonlabels"
_TAGS = {_RECTANGLES: ("RectangleLabels", "box"), _POLYGONS: ("PolygonLabels", "mask")}


def write(data: DataSet, output: Path) -> None:
    """Writes both files."""
    files.write_file(output / CONFIG_FILE, config(data.class_names, data.has_masks))
    with files.replacing(output / FILE) as file:
        write_list(file, (task(photo, data) for photo in data.photos()))
        file.write(b"\n")


def config(class_names: tuple[str, ...], has_masks: bool) -> bytes:
    """The labelling config, to be pasted as code."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=_IMAGE, value=f"${_IMAGE}")
    for tag, name in list(_TAGS.values())[: 1 + has_masks]:
        control = ElementTree.SubElement(view, tag, name=name, toName=_IMAGE)
        for class_name in class_names:
            ElementTree.SubElement(control, "Label", value=class_name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8") + b"\n"


def task(photo: Photo, data: DataSet) -> dict[str, Any]:
    """A task with one prediction of all objects, scored by the least certain one."""
    prediction = {"model_version": data.model_name, "result": list(_regions(photo))}
    certain = [found.confidence for found in photo.objects]
    scores = [value for value in certain if value is not None]
    if scores:
        prediction["score"] = min(scores)
    path = quote(f"{data.root.name}/{photo.name}".lstrip("/"))
    return {
        "data": {_IMAGE: f"/data/local-files/?d={path}"},
        "predictions": [prediction],
    }


def _regions(photo: Photo) -> Iterator[dict[str, Any]]:
    """Rectangles, and outlines of masks, in percent of the upright photo."""
    for i, found in enumerate(photo.objects):
        width, height = photo.size_wh
        x0, y0, x1, y1 = found.box
        rectangle = {
            "x": 100 * x0 / width,
            "y": 100 * y0 / height,
            "width": 100 * (x1 - x0) / width,
            "height": 100 * (y1 - y0) / height,
            "rotation": 0,
        }
        yield _region(f"box_{i}", _RECTANGLES, rectangle, photo, found)
        if found.mask is not None:
            points = polygons.outline(masks.from_run_lengths(found.mask))
            outline = {
                "points": (100 * points / photo.size_wh).tolist(),
                "closed": True,
            }
            yield _region(f"mask_{i}", _POLYGONS, outline, photo, found)


def _region(
    region_id: str, kind: str, value: dict[str, Any], photo: Photo, found: Object
) -> dict[str, Any]:
    region = {
        "id": region_id,
        "type": kind,
        "from_name": _TAGS[kind][1],
        "to_name": _IMAGE,
        "original_width": photo.size_wh[0],
        "original_height": photo.size_wh[1],
        "image_rotation": 0,
        "value": {**value, kind: [found.label]},
    }
    if found.score is not None:
        region["score"] = found.score
    if found.degenerate:
        region["meta"] = {"text": ["nothing found: the whole photo"]}
    return region
