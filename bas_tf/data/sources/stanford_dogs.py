"""Source `stanford_dogs`: 120 breeds, with a box for each of up to five dogs a photo.

  train_list.mat  test_list.mat  Images/<breed>/*.jpg  Annotation/<breed>/* (VOC's XML)

Splits are `train` and `test`. Corners are taken as written.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bas_tf.data.annotations.annotation_files import (
    labels_of,
    unknown_split,
    wrong_layout,
)
from bas_tf.data.annotations.voc_boxes import read_objects
from bas_tf.data.images import image_file
from bas_tf.data.records import Record
from bas_tf.data.sources.matlab_files import read_columns

LISTS = {"train": "train_list.mat", "test": "test_list.mat"}


class StanfordDogsSource:
    """Dogs, with the true boxes of every dog in the photo; a `Source`.

    Args:
      root: the folder that holds the two lists.
      class_names: as for `load_source`.

    Raises:
      DataError: another layout, or an annotation that is missing or wrong.
    """

    splits = tuple(LISTS)

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        if not all((self._root / name).is_file() for name in LISTS.values()):
            raise wrong_layout(
                root, f"{' and '.join(LISTS.values())}, Images/ and Annotation/"
            )
        self._files = {
            split: [
                str(file) for file in read_columns(self._root / name, "file_list")[0]
            ]
            for split, name in LISTS.items()
        }
        own_names = {_breed(file) for files in self._files.values() for file in files}
        self.class_names = tuple(class_names or sorted(own_names))
        self._label_of = labels_of(
            own_names, self.class_names, folder=self._root / "Images"
        )

    def records(self, split: str) -> list[Record]:
        """The images of a split, in the order of its list."""
        if split not in self._files:
            raise unknown_split(self._root, split, self.splits)
        return [self._record(file) for file in self._files[split]]

    def _record(self, file: str) -> Record:
        annotation = self._root / "Annotation" / PurePosixPath(file).with_suffix("")
        corners = read_objects(annotation).corners
        return Record(
            image_id=file,
            label=self._label_of[_breed(file)],
            image=image_file(self._root / "Images" / file, upright=False),
            boxes_original=np.stack(corners) if corners else None,
        )


def _breed(file: str) -> str:
    return PurePosixPath(file).parts[0]
