"""Source `stanford_cars`: the 196 models of cars, in either official form.

  cars_train/*.jpg  cars_test/*.jpg  devkit/cars_meta.mat  devkit/cars_train_annos.mat
  cars_test_annos_withlabels.mat     in devkit/ or next to it

or car_ims/*.jpg with cars_annos.mat. Splits are `train` and `test`. Corners are taken
as written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bas_tf.data.annotations.annotation_files import to_box, wrong_layout
from bas_tf.data.annotations.matlab_files import read_columns
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet

ALL, DEVKIT = "cars_annos.mat", "devkit"
ANNOTATIONS = {
    "train": "cars_train_annos.mat",
    "test": "cars_test_annos_withlabels.mat",
}
_CORNERS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


class StanfordCarsSource(PublishedSet):
    """Cars with one true box each."""

    splits = ("train", "test")

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        (own_names,) = read_columns(_names_file(self._root), "class_names")
        self._own_names = [str(name) for name in own_names]
        self._set_classes(self._own_names, class_names)

    def _records(self, split: str) -> list[Record]:
        return [self._photo(*row) for row in self._rows(split)]

    def _rows(self, split: str) -> Iterator[tuple[str, np.void, str]]:
        """(image below the root, its struct, the struct's place) of a split."""
        path = self._root / ALL
        if not path.is_file():
            path = _find(self._root, ANNOTATIONS[split])
        (rows,) = read_columns(path, "annotations")
        fields = rows.dtype.names or ()
        needed = {*_CORNERS, "class"}
        needed |= {"relative_im_path", "test"} if path.name == ALL else {"fname"}
        if not needed <= set(fields):
            missing = ", ".join(sorted(needed - set(fields)))
            raise DataError(f"{path}: its annotations have no {missing}")
        for number, row in enumerate(rows, start=1):
            place = f"{path}: annotation {number}"
            if path.name != ALL:
                yield f"cars_{split}/{row['fname']}", row, place
            elif bool(row["test"]) == (split == "test"):
                yield str(row["relative_im_path"]), row, place

    def _photo(self, name: str, row: np.void, place: str) -> Record:
        number = int(row["class"])
        if not 1 <= number <= len(self._own_names):
            raise DataError(
                f"{place}: class {number}; known: 1 to {len(self._own_names)}"
            )
        box = to_box(place, [row[corner] for corner in _CORNERS])
        label = self._label_of[self._own_names[number - 1]]
        return self._record(name, label, boxes_original=box[None])


def _names_file(root: Path) -> Path:
    return root / ALL if (root / ALL).is_file() else _find(root, "cars_meta.mat")


def _find(root: Path, name: str) -> Path:
    for path in (root / DEVKIT / name, root / name):
        if path.is_file():
            return path
    raise wrong_layout(
        root,
        f"Stanford Cars: {name} in {DEVKIT}/ with cars_train/ and cars_test/, or {ALL} "
        "with car_ims/",
    )
