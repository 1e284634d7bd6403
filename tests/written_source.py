"""A source whose records are written down in a test."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bas_tf.data.images import DrawnImage
from bas_tf.data.records import DataError, Record

WIDTH, HEIGHT = 80, 60


@dataclasses.dataclass
class WrittenSource:
    """A source of any records; refuses a split that it does not have."""

    found: dict[str, list[Record]]
    class_names: tuple[str, ...] = ("cat",)
    splits: tuple[str, ...] = ("train",)

    def records(self, split: str) -> Sequence[Record]:
        if split not in self.found:
            raise DataError(f"no split {split!r}")
        return self.found[split]


def record(
    name: str, *boxes: Sequence[float], grey: int | None = None, size_wh=(WIDTH, HEIGHT)
) -> Record:
    """An image of one grey, by default one that no other name has."""
    grey = sum(name.encode()) % 256 if grey is None else grey
    image = np.full([size_wh[1], size_wh[0], 3], grey, np.uint8)
    return Record(
        image_id=name,
        label=0,
        image=DrawnImage(lambda: image, size_wh),
        boxes_original=np.array(boxes, np.float32) if boxes else None,
    )
