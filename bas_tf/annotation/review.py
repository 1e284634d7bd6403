"""A page on which a person reviews the boxes: review.html.

It needs no server: it shows the photos from where they are, the least certain first;
the browser keeps the decisions and saves them as COCO.
"""

import operator
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bas_tf import files
from bas_tf.annotation.data_set import DataSet, Photo
from bas_tf.data import decode
from bas_tf.report import pictures
from bas_tf.report.templates import load_template

FILE, COPIES = "review.html", "review_photos"
_NOT_IN_BROWSERS = (".tif", ".tiff", ".heic", ".heif")


def write(data: DataSet, output: Path) -> None:
    """Writes the page, and JPEG copies of photos in formats that browsers do not show.

    Masks are not shown and not saved.
    """
    taken: set[str] = set()
    rated = [
        (
            photo.certainty,
            _entry(photo, image_id, _shown(photo, data, output, taken), output),
        )
        for image_id, photo in enumerate(data.photos(), start=1)
    ]
    photos = [entry for _, entry in sorted(rated, key=operator.itemgetter(0))]
    page = load_template("review.html.j2").render(
        count=len(photos),
        class_names=data.class_names,
        document={"photos": photos, "classes": data.class_names, "folder": data.folder},
    )
    files.write_file(output / FILE, page.encode())


def _shown(photo: Photo, data: DataSet, output: Path, taken: set[str]) -> Path:
    """The photo's file, or the copy of it that a browser can show."""
    path = data.root / photo.name
    if path.suffix.lower() not in _NOT_IN_BROWSERS:
        return path
    name = files.unused_name(photo.name, ".jpg", taken)
    taken.add(name.casefold())
    copy = output / COPIES / name
    if not copy.is_file():
        content = pictures.encode_image(decode.decode_image(path), ".jpg")
        files.write_file(copy, content)
    return copy


def _entry(photo: Photo, image_id: int, path: Path, output: Path) -> dict[str, Any]:
    """A photo as the page's script reads it, at an address relative to the page."""
    address = os.path.relpath(path, output)
    objects = [
        {"label": found.label, "box": found.box, "confidence": found.known_confidence,
         "degenerate": found.degenerate}
        for found in photo.objects
    ]  # fmt: skip
    return {
        "id": image_id, "name": photo.name, "address": quote(os.fsencode(address)),
        "width": photo.size_wh[0], "height": photo.size_wh[1], "objects": objects,
    }  # fmt: skip
