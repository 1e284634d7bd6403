"""Photos of every orientation and kind of name, with objects that are known."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from bas_tf import names
from bas_tf.annotation.data_set import DataSet, Object, Photo
from bas_tf.geometry import components
from bas_tf.refinement import masks
from tests.data.torture import STORED

CLASSES = ("cat", "røde hund", "猫")
NAMES = (
    "train/cat/a b.jpg", "train/cat/a b.png", "train/cat/é.jpg", "train/猫/été #1.jpg",
    "train/røde hund/100%.jpg", "val/猫/カブトムシ.jpg", "val/cat/A B.jpg",
    "val/røde hund/x&<y>.png",
)  # fmt: skip


def write_photo(path: Path, upright: np.ndarray, orientation: int) -> None:
    """Stores an upright photo turned, so that EXIF turns it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(path, exif=exif.tobytes())


def hashes_of(folder: Path) -> dict[str, str]:
    """{path below the folder: digest} of its files."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def blob(rng, size_wh) -> np.ndarray:
    """bool [height, width]: the largest part of smooth noise."""
    noise = cv2.GaussianBlur(rng.normal(size=size_wh[::-1]), (0, 0), 6)
    return components.largest_component(noise > np.quantile(noise, 0.7))


def outputs_of(scores, box, labels=None) -> dict[str, np.ndarray]:
    """What a model of 32 x 32 pixels answers whose map is 1 in a box: [n, classes]."""
    (x0, y0, x1, y1), count = box, len(scores)
    maps = np.zeros([count, 32, 32], np.float32)
    maps[:, y0:y1, x0:x1] = 1
    found = {
        names.LOCALIZATION_MAP: maps,
        names.BOXES: np.float32([box] * count),
        names.DEGENERATE: np.zeros(count, bool),
    }
    of_label = {} if labels is None else names.of_label(found)
    return {names.SCORES: np.float32(scores), **found, **of_label}


@pytest.fixture(params=[False, True], ids=["boxes", "masks"])
def data(request, rng, tmp_path) -> DataSet:
    """Photo i has orientation i + 1; the first two objects, the last nothing found."""
    photos = []
    for i, name in enumerate(NAMES):
        size_wh = (90 + i, 61 + 2 * i)
        write_photo(
            tmp_path / "photos" / name,
            rng.integers(0, 256, (*size_wh[::-1], 3)).astype(np.uint8),
            i + 1,
        )
        objects = [
            _object(rng, name, size_wh, request.param)
            for _ in range(2 if i == 0 else 1)
        ]
        if i == len(NAMES) - 1:
            label = name.split("/")[1]
            objects = [Object(label, None, (0.0, 0.0, *map(float, size_wh)), True)]
        photos.append(Photo(name, size_wh, tuple(objects)))
    return DataSet(
        lambda: iter(photos), CLASSES, tmp_path / "photos", "model", request.param
    )


def _object(rng, name: str, size_wh, has_mask: bool) -> Object:
    label, (score, confidence) = name.split("/")[1], rng.uniform(size=2).tolist()
    if has_mask:
        mask = blob(rng, size_wh)
        box = tuple(map(float, masks.box_of_mask(mask)[0]))
        pixels = masks.run_lengths(mask)
        return Object(label, score, box, confidence=confidence, mask=pixels)
    (x0, x1), (y0, y1) = (np.sort(rng.uniform(0, n - 5, 2)) + (0, 5) for n in size_wh)
    box = tuple(round(float(v), 2) for v in (x0, y0, x1, y1))
    return Object(label, score, box, confidence=confidence)
