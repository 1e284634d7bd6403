"""Random folders of photos with a box file in one of the spellings people use."""

import io
import json
import shutil
import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import ExifTags, Image

from tests.data import tiny_sets

SIZE_WH = (16, 12)  # upright
# Formats whose orientation entry is drawn as well.
TURNED = (".jpg", ".png", ".webp", ".tif")
NOT_TURNED = (".bmp", ".gif")
CLASSES = ("cat", "Große Katze", "Pinguïn", "dog_1")


def _image(ending: str, orientation: int) -> bytes:
    """A file that is upright SIZE_WH."""
    size = SIZE_WH[::-1] if orientation > 4 else SIZE_WH
    exif, content = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = orientation
    extra = {"exif": exif} if ending in TURNED else {}
    image = Image.new("RGB", size, (90, 120, 30))
    image.save(content, Image.registered_extensions()[ending], **extra)
    return content.getvalue()


IMAGES = {
    (ending, orientation): _image(ending, orientation)
    for ending in TURNED + NOT_TURNED
    for orientation in (range(1, 9) if ending in TURNED else (1,))
}


def _nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def _replace_split(name: str, split: str, old: str = "") -> str:
    """`old` is the only one that is replaced; "" is any."""
    return f"{split}/{name.partition('/')[2]}" if name.startswith(old) else name


SPELLINGS = {
    "as it is": lambda n: n,
    "leading slash": lambda n: f"/{n}",
    "absolute": lambda n: f"/data/sets/photos/{n}",
    "drive": lambda n: rf"C:\photos\{n}".replace("/", "\\"),
    "dots": lambda n: f"./{n.replace('/', '//', 1)}",
    "up": lambda n: f"../photos/{n}",
    "up within": lambda n: f"x/../{n}",
    "images": lambda n: f"images/{n}",
    "backslashes": lambda n: n.replace("/", "\\"),
    "title": lambda n: n[0].upper() + n[1:],
    "upper": lambda n: n.upper(),
    "valid": lambda n: _replace_split(n, "valid", "val/"),
    "Validation": lambda n: _replace_split(n, "Validation", "val/"),
    "nfd": _nfd,
    "ending": lambda n: n[:-3] + n[-3:].upper(),
    "class and file": lambda n: n.partition("/")[2],
    "split and file": lambda n: f"{n.split('/')[0]}/{n.split('/')[-1]}",
    "file": lambda n: n.split("/")[-1],
    "images, file": lambda n: f"images/{n.split('/')[-1]}",
    "images, class and file": lambda n: f"images/{n.partition('/')[2]}",
    "other split": lambda n: _replace_split(n, "holdout"),
    "other class": lambda n: n.replace("/cat/", "/cats/"),
    "lost": lambda n: n.replace("/", "/x", 2),
}


class Layout:
    """One folder and what is true of it.

    Attributes:
      truth: {image_id: [n, 4]} of the photos with boxes, upright pixels.
      facts: what was drawn, for the message of a failing test.
    """

    def __init__(self, root: Path, seed: int):
        self.rng = np.random.default_rng(seed)
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        self.truth, self.orientations = self._photos()
        self.facts = {
            "seed": seed,
            "form": self._any(("csv", "coco", "voc")),
            "spelling": self._any([*SPELLINGS, "mixed"]),
            "size": self._any(("none", "none", "right", "zero", "half", "stored")),
            "categories": self._any(("none", "class", "one", "class and meadow")),
            "left out": self._any((False, False, True)),
        }
        getattr(self, f"_write_{self.facts['form']}")()

    def _any(self, choices):
        return choices[self.rng.integers(len(choices))]

    def _photos(self):
        """Numbered in each folder, or named as cameras do; some without a box."""
        rng, truth, orientations = self.rng, {}, {}
        classes = rng.permutation(CLASSES)[: rng.integers(1, 4)]
        is_numbered, number = rng.random() < 0.5, 0
        as_nfd = rng.random() < 0.3
        for split in ("train", "val", "test")[: rng.integers(1, 4)]:
            for class_name in classes:
                folder = _nfd(class_name) if as_nfd else class_name
                for i in range(rng.integers(1, 3)):
                    number += 1
                    ending = self._any(TURNED + NOT_TURNED)
                    orientation = int(rng.integers(1, 9)) if ending in TURNED else 1
                    stem = str(i) if is_numbered else f"IMG_{number:03d}é"
                    file = f"{stem}{self._any((ending, ending.upper()))}"
                    path = self.root / split / folder / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(IMAGES[ending, orientation])
                    if number == 1 or rng.random() < 0.8:
                        name = f"{split}/{folder}/{file}"
                        truth[name] = self._boxes()
                        orientations[name] = orientation
        return truth, orientations

    def _boxes(self) -> np.ndarray:
        count = self.rng.integers(1, 3)
        low = self.rng.integers(0, 4, [count, 2]) * 2
        high = low + 2 * self.rng.integers(1, 3, [count, 2])
        return np.concatenate([low, high], axis=1).astype(np.float32)

    def _entries(self):
        """(image_id, name, boxes, categories, stated size or None), as written."""
        for image_id, boxes in self.truth.items():
            spelling = self.facts["spelling"]
            if spelling == "mixed":
                spelling = self._any(list(SPELLINGS))
            name = SPELLINGS[spelling](image_id)
            kind = {"none": "", "one": "object"}.get(
                self.facts["categories"], image_id.split("/")[1]
            )
            kinds, size, written = [kind] * len(boxes), SIZE_WH, boxes
            if self.facts["categories"] == "class and meadow":
                kinds, written = [*kinds, "meadow"], np.vstack([boxes, [0, 0, 16, 12]])
            if self.facts["size"] == "half" and self.facts["form"] != "csv":
                size, written = (8, 6), written / 2
            is_swapped = self.orientations[image_id] > 4
            if self.facts["size"] == "stored" and is_swapped:
                size = SIZE_WH[::-1]
                if self.facts["form"] != "csv":
                    written = written[:, [1, 0, 3, 2]]  # as orientation 5
            if self.facts["size"] == "zero":
                size = (0, 0)
            if self.facts["size"] == "none":
                size = None
            yield image_id, name, written, kinds, size
        if self.facts["left out"]:
            yield "", "test2017/cat/9.jpg", np.float32([[0, 0, 9, 9]]), ["cat"], None
            yield "", "test/cat/9.jpg", np.float32([[0, 0, 9, 9]]), ["cat"], None

    def _write_csv(self):
        if self.facts["categories"] == "class and meadow":
            self.facts["categories"] = "none"
        rows = [
            f'"{name}",{",".join(f"{n:g}" for n in box)}'
            for _, name, boxes, _, _ in self._entries()
            for box in boxes
        ]
        text = "\n".join(["image,x_min,y_min,x_max,y_max", *rows])
        (self.root / "boxes.csv").write_text(text, encoding="utf-8")

    def _write_coco(self):
        images, annotations, ids = [], [], {}
        for i, (_, name, boxes, kinds, size) in enumerate(self._entries()):
            stated = dict(zip(("width", "height"), size or (), strict=False))
            images.append({"id": i, "file_name": name, **stated})
            for (x0, y0, x1, y1), kind in zip(boxes.tolist(), kinds, strict=True):
                category = ids.setdefault(kind, len(ids)) if kind else None
                bbox = [x0, y0, x1 - x0, y1 - y0]
                annotations.append(
                    {"image_id": i, "bbox": bbox, "category_id": category}
                )
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for name, i in ids.items()],
        }
        (self.root / "boxes.json").write_text(json.dumps(content), encoding="utf-8")

    def _write_voc(self):
        """By the spelling's path, or flat with the spelling within the file."""
        self.facts["voc"] = self._any(("path", "Annotations", "flat", "flat path"))
        is_flat, ending = "flat" in self.facts["voc"], self._any((".xml", ".XML"))
        for i, (_, name, boxes, kinds, size) in enumerate(self._entries()):
            inner = PurePosixPath(name.replace("\\", "/"))
            below = f"{i:06d}" if is_flat else str(inner.with_suffix("")).lstrip("/.")
            below = f"Annotations/{below}" if "A" in self.facts["voc"] else below
            path = self.root / "boxes" / f"{below}{ending}"
            xml = self._xml(name, inner, boxes, kinds, size)
            tiny_sets.write_lines(path, [xml])

    def _xml(self, name, inner, boxes, kinds, size) -> str:
        head, corners = "", [(x0 + 1, y0 + 1, x1, y1) for x0, y0, x1, y1 in boxes]
        if self.facts["voc"] == "flat":
            head = f"<folder>{inner.parent}</folder><filename>{inner.name}</filename>"
        elif self.facts["voc"] == "flat path":
            head = f"<path>{name}</path>"
        return tiny_sets.voc_xml(corners, names=kinds, head=head, size_wh=size)
