"""Pascal VOC: Annotations/<path of the photo>.xml."""

from pathlib import Path
from xml.etree import ElementTree

from bas_tf import files
from bas_tf.annotation.data_set import DataSet, Object, Photo, warn_of_leftovers

FOLDER = "Annotations"


def write(data: DataSet, output: Path) -> None:
    """Writes a file for each photo."""
    taken, written = set(), set()
    for photo in data.photos():
        name = files.unused_name(photo.stem, ".xml", taken)
        taken.add(name.casefold())
        path = output / FOLDER / name
        files.write_file(path, document(photo, data.root))
        written.add(path)
    warn_of_leftovers(output / FOLDER, written)


def document(photo: Photo, root: Path) -> bytes:
    """One photo's XML; what was not found is marked difficult."""
    annotation = ElementTree.Element("annotation")
    path = root / photo.name
    _add(annotation, "folder", path.parent.name)
    _add(annotation, "filename", path.name)
    _add(annotation, "path", path)
    size = ElementTree.SubElement(annotation, "size")
    for tag, value in zip(
        ("width", "height", "depth"), (*photo.size_wh, 3), strict=True
    ):
        _add(size, tag, value)
    _add(annotation, "segmented", 0)
    for found in photo.objects:
        _add_object(annotation, found)
    ElementTree.indent(annotation)
    return ElementTree.tostring(annotation, encoding="utf-8", xml_declaration=True)


def _add_object(annotation: ElementTree.Element, found: Object) -> None:
    """Its corners are pixels counted from 1, the last one included."""
    entry = ElementTree.SubElement(annotation, "object")
    _add(entry, "name", found.label)
    for tag, value in (
        ("pose", "Unspecified"),
        ("truncated", 0),
        ("difficult", int(found.degenerate)),
    ):
        _add(entry, tag, value)
    box = ElementTree.SubElement(entry, "bndbox")
    x0, y0, x1, y1 = map(round, found.box)
    corners = (x0 + 1, y0 + 1, max(x1, x0 + 1), max(y1, y0 + 1))
    for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
        _add(box, tag, value)


def _add(parent: ElementTree.Element, tag: str, value) -> None:
    ElementTree.SubElement(parent, tag).text = str(value)
