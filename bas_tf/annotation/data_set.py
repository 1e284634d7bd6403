"""What is annotated: photos and the objects in them."""

import dataclasses
from collections.abc import Callable, Iterator, Set
from pathlib import Path, PurePosixPath
from typing import Any

from absl import logging

SPLITS = ("train", "val", "test")  # of a photo, by its first folder


@dataclasses.dataclass(frozen=True)
class Object:
    """One object in a photo.

    Attributes:
      label: its class.
      score: the class's softmax; None from a file that does not score it.
      box: x0, y0, x1, y1, half-open, pixels of the upright photo; with a mask, that of
        the mask.
      degenerate: nothing was found; the box is the whole photo.
      confidence: in the box, see `metrics.confidence`; that of the photo's best class
        where pixels are labelled; None if not known.
      mask: its pixels, one component, as COCO's uncompressed RLE (`masks.run_lengths`).
    """

    label: str
    score: float | None
    box: tuple[float, float, float, float]
    degenerate: bool = False
    confidence: float | None = None
    mask: dict[str, list[int]] | None = None

    @property
    def known_confidence(self) -> float | None:
        """That of the box where the object has one, else of the class."""
        return self.score if self.confidence is None else self.confidence


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo and its objects.

    Attributes:
      name: its path below the folder of photos, with "/".
      size_wh: width and height of the upright photo.
      objects: any number.
      file: bytes of its file, and when it was changed in ns; None if not known.
    """

    name: str
    size_wh: tuple[int, int]
    objects: tuple[Object, ...]
    file: tuple[int, int] | None = None

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return str(PurePosixPath(self.name).with_suffix(""))

    @property
    def certainty(self) -> float:
        """The lowest of its objects; 0 where nothing was found or nothing is scored."""
        certainties = [
            0.0 if found.degenerate else found.known_confidence or 0.0
            for found in self.objects
        ]
        return min(certainties, default=0.0)


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What a format writes.

    Attributes:
      photos: reads them one by one, each time it is called.
      class_names: in the order of class ids.
      root: the folder of the photos.
      model_name: what annotated them.
      has_masks: whether masks were asked for.
      margin: of crops, see `crops.region`.
    """

    photos: Callable[[], Iterator[Photo]]
    class_names: tuple[str, ...]
    root: Path
    model_name: str
    has_masks: bool = False
    margin: float = 0.0

    @property
    def folder(self) -> str:
        """The last two names of `root`, which can say the photos' split and class."""
        return "/".join(self.root.parts[-2:]).lstrip("/")


def warn_of_leftovers(folder: Path, written: Set[Path]) -> None:
    """Says so where a folder has files of photos that were moved or deleted since."""
    suffixes = {path.suffix for path in written}
    found = {path for path in folder.rglob("*") if path.suffix in suffixes}
    if left := found - written:
        logging.warning(
            "%s: %d files are of no photo of this run, the first is %s; where photos "
            "were moved, delete this folder: the same command writes it anew",
            folder, len(left), min(left),
        )  # fmt: skip


def from_row(row: dict[str, Any]) -> Photo:
    """The inverse of `dataclasses.asdict`, also of lists that JSON made of tuples."""
    objects = [
        Object(**{**entry, "box": tuple(entry["box"])}) for entry in row["objects"]
    ]
    file = row.get("file")  # not in a journal of an older version
    return Photo(
        row["name"], tuple(row["size_wh"]), tuple(objects), file and tuple(file)
    )
