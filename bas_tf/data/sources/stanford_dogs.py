"""Source `stanford_dogs`: 120 breeds, with a box for each of up to five dogs a photo.

  train_list.mat  test_list.mat  Images/<breed>/*.jpg  Annotation/<breed>/* (VOC's XML)

Splits are `train` and `test`. Corners are taken as written.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bas_tf.data.annotations.annotation_files import wrong_layout
from bas_tf.data.annotations.matlab_files import read_columns
from bas_tf.data.annotations.voc_boxes import read_objects
from bas_tf.data.records import Record
from bas_tf.data.sources.published import PublishedSet

LISTS = {"train": "train_list.mat", "test": "test_list.mat"}


class StanfordDogsSource(PublishedSet):
    """Dogs, with the true boxes of every dog in the photo."""

    splits = tuple(LISTS)

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        if not all((self._root / name).is_file() for name in LISTS.values()):
            raise wrong_layout(
                root, f"{' and '.join(LISTS.values())}, Images/ and Annotation/"
            )
        self._files = {
            split: list(map(str, read_columns(self._root / name, "file_list")[0]))
            for split, name in LISTS.items()
        }
        own_names = {_breed(file) for files in self._files.values() for file in files}
        self._set_classes(sorted(own_names), class_names, "Images")

    def _records(self, split: str) -> list[Record]:
        return [self._photo(file) for file in self._files[split]]

    def _photo(self, file: str) -> Record:
        annotation = self._root / "Annotation" / PurePosixPath(file).with_suffix("")
        corners = read_objects(annotation).corners
        boxes = np.stack(corners) if corners else None
        label = self._label_of[_breed(file)]
        return self._record(file, label, folder="Images/", boxes_original=boxes)


def _breed(file: str) -> str:
    return PurePosixPath(file).parts[0]
