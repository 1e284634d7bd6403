"""Source `fgvc_aircraft`: FGVC-Aircraft 2013b, its 100 variants with a box each.

  images/*.jpg  variants.txt  images_box.txt
  images_variant_train.txt  images_variant_val.txt  images_variant_test.txt

in the folder data/ of the release; either may be the root. Split `train` is the
official train and val together, as the journal extension trains; the other is `test`.
Corners are taken as written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bas_tf.data.annotations.annotation_files import (
    read_rows,
    read_text,
    to_box,
    wrong_layout,
)
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet

VARIANTS, BOXES = "variants.txt", "images_box.txt"
TABLES = {"train": ("train", "val"), "test": ("test",)}


class FgvcAircraftSource(PublishedSet):
    """Aircraft with one true box each."""

    splits = tuple(TABLES)

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = _find_root(Path(root))
        text = read_text(self._root / VARIANTS)
        own_names = [line.strip() for line in text.split("\n") if line.strip()]
        self._set_classes(own_names, class_names)
        columns = ("image", "xmin", "ymin", "xmax", "ymax")
        self._boxes = {
            row.fields[0]: to_box(row.place, row.fields[1:])
            for row in read_rows(self._root / BOXES, columns)
        }

    def _records(self, split: str) -> list[Record]:
        return [self._photo(*line) for line in self._lines(split)]

    def _lines(self, split: str) -> Iterator[tuple[str, str, str]]:
        """(place, image, variant) of a split's tables; a variant may have spaces."""
        for table in TABLES[split]:
            path = self._root / f"images_variant_{table}.txt"
            for number, line in enumerate(read_text(path).split("\n"), start=1):
                if line.strip():
                    image, _, variant = line.strip().partition(" ")
                    yield f"{path}:{number}", image, variant

    def _photo(self, place: str, image: str, variant: str) -> Record:
        if variant not in self._label_of:
            raise DataError(f"{place}: {variant!r} is none of {VARIANTS}")
        name, box = f"images/{image}.jpg", self._boxes.get(image)
        boxes = None if box is None else box[None]
        return self._record(name, self._label_of[variant], boxes_original=boxes)


def _find_root(root: Path) -> Path:
    for folder in (root, root / "data"):
        if (folder / VARIANTS).is_file():
            return folder
    raise wrong_layout(root, f"FGVC-Aircraft: data/ with {VARIANTS}, {BOXES}, images/")
