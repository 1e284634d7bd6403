"""Source `fgvc_aircraft`: FGVC-Aircraft 2013b, its 100 variants with a box each.

  images/*.jpg  variants.txt  images_box.txt
  images_variant_train.txt  images_variant_val.txt  images_variant_test.txt

in the folder data/ of the release. Split `train` is the official train and val
together, as the journal extension trains; the other is `test`. Corners are taken as
written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bas_tf.data.annotations.annotation_files import (
    labels_of,
    read_rows,
    read_text,
    to_box,
    unknown_split,
    wrong_layout,
)
from bas_tf.data.images import image_file
from bas_tf.data.records import DataError, Record

VARIANTS, BOXES = "variants.txt", "images_box.txt"
TABLES = {"train": ("train", "val"), "test": ("test",)}


class FgvcAircraftSource:
    """Aircraft with one true box each; a `Source`.

    Args:
      root: the release's folder, or data/ in it.
      class_names: as for `load_source`.

    Raises:
      DataError: another layout, or a table with a wrong line.
    """

    splits = tuple(TABLES)

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = _find_root(Path(root))
        text = read_text(self._root / VARIANTS)
        own_names = [line.strip() for line in text.split("\n") if line.strip()]
        self.class_names = tuple(class_names or own_names)
        self._label_of = labels_of(own_names, self.class_names, folder=self._root)
        columns = ("image", "xmin", "ymin", "xmax", "ymax")
        self._boxes = {
            row.fields[0]: to_box(row.place, row.fields[1:])
            for row in read_rows(self._root / BOXES, columns)
        }

    def records(self, split: str) -> list[Record]:
        """The images of a split, in the order of its tables."""
        if split not in TABLES:
            raise unknown_split(self._root, split, self.splits)
        return [self._record(*line) for line in self._lines(split)]

    def _lines(self, split: str) -> Iterator[tuple[str, str, str]]:
        """(place, image, variant) of a split's tables; a variant may have spaces."""
        for table in TABLES[split]:
            path = self._root / f"images_variant_{table}.txt"
            for number, line in enumerate(read_text(path).split("\n"), start=1):
                if line.strip():
                    image, _, variant = line.strip().partition(" ")
                    yield f"{path}:{number}", image, variant

    def _record(self, place: str, image: str, variant: str) -> Record:
        if variant not in self._label_of:
            raise DataError(f"{place}: {variant!r} is none of {VARIANTS}")
        name, box = f"images/{image}.jpg", self._boxes.get(image)
        return Record(
            image_id=name,
            label=self._label_of[variant],
            image=image_file(self._root / name, upright=False),
            boxes_original=None if box is None else box[None],
        )


def _find_root(root: Path) -> Path:
    for folder in (root, root / "data"):
        if (folder / VARIANTS).is_file():
            return folder
    raise wrong_layout(root, f"FGVC-Aircraft: data/ with {VARIANTS}, {BOXES}, images/")
