"""True boxes of a folder of photos: read, matched to photos, never lost silently."""

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotations import box_names
from bas_tf.data.annotations.annotation_files import ImageBoxes
from bas_tf.data.annotations.box_forms import find_boxes, read_boxes
from bas_tf.data.records import DataError
from bas_tf.geometry.frames import Size

_SHOWN = 3
_HEAD = 1 << 16  # bytes that tell the size of most photos
_TIFF = (b"II", b"MM")  # keeps its size anywhere in the file


@dataclasses.dataclass(frozen=True)
class BoxesOfPhoto:
    """One photo's boxes: float32 [n, 4] in pixels of the upright photo, or None."""

    boxes: np.ndarray | None = None
    faults: tuple[str, ...] = ()  # why they cannot be used for figures
    slips: tuple[str, ...] = ()  # what is off by at most a pixel


class BoxFile:
    """The boxes of a folder, matched with its photos.

    Attributes:
      path: the file or folder; None where there is none.
      faults: one line each about what makes its boxes wrong or loses some of them.
      notes: one line each about boxes that are left out or kept on purpose.

    Args:
      root: the folder.
      image_ids: `<split>/<class>/<file>` of every photo in it.
      splits: its splits.
      class_names: a box whose category is a class counts on photos of it alone.
      rescale: whether boxes drawn on a smaller or larger copy are scaled.
      photo_path: an image_id's file.
      path: the file or folder; None looks for the root's own. Of another one a name
        that fits no photo, or several, is a note and not a fault.
    """

    def __init__(
        self,
        root: Path,
        image_ids: Sequence[str],
        *,
        splits: Iterable[str],
        class_names: Iterable[str],
        photo_path: Callable[[str], Path],
        rescale: bool = False,
        path: Path | None = None,
    ):
        self.path = path
        self.faults: list[str] = []
        self.notes: list[str] = []
        self._root, self._rescale, self._is_own = root, rescale, path is None
        self._photo_path = photo_path
        self._entries: dict[str, list[ImageBoxes]] = {}
        try:
            self.path = path or find_boxes(root)
            entries = read_boxes(self.path) if self.path else []
        except DataError as error:
            self.faults.append(str(error))
            return
        if self.path:
            self._match(entries, box_names.PhotoNames(image_ids, splits), image_ids)
            self._choose_categories({_fold_class(name) for name in class_names})
            if not self._entries and not self.faults:
                self.faults.append(f"{self.path}: holds no box of a photo in {root}")

    @property
    def image_ids(self) -> list[str]:
        """The photos that have boxes."""
        return list(self._entries)

    def of(self, image_id: str) -> BoxesOfPhoto:
        """A photo's boxes; reads its size where the file states one."""
        entries = self._entries.get(image_id)
        if not entries:
            return BoxesOfPhoto()
        boxes, faults = [], []
        for entry in entries:
            scale, fault = self._scale(image_id, entry.size_wh)
            boxes.append(entry.boxes * np.float32([*scale, *scale]))
            faults += [fault] if fault else []
        slips = tuple(slip for entry in entries for slip in entry.slips)
        return BoxesOfPhoto(np.concatenate(boxes), tuple(faults), slips)

    def _match(
        self,
        entries: Sequence[ImageBoxes],
        photos: box_names.PhotoNames,
        image_ids: Sequence[str],
    ) -> None:
        """Matches entries to photos; one that fits none or several is a fault."""
        names = [entry.names[0] for entry in entries]
        found = _find(entries, photos)
        given: dict[str, set] = {}
        for name, image_id in zip(names, found, strict=True):
            given.setdefault(image_id, set()).add(box_names.parts_of(name))
        lost, left_out = [], []
        for entry, name, image_id in zip(entries, names, found, strict=True):
            if box_names.is_left_out(image_id):
                left_out.append(name)
            elif image_id is None or len(given[image_id]) > 1:
                lost.append(name)
            else:
                self._entries.setdefault(image_id, []).append(entry)
        if left_out:
            self.notes.append(
                f"{self.path}: {len(left_out)} of its {len(names)} names are of splits "
                f"that are not in {self._root}: {_first(left_out)}"
            )
        if lost or (left_out and not self._entries):
            bare = [name for name in image_ids if name not in self._entries]
            (self.faults if self._is_own else self.notes).append(
                f"{self.path}: {len(lost or left_out)} of its {len(names)} names fit "
                f"no photo of {self._root}, or several: {_first(lost or left_out)}; "
                f"{len(bare)} of {len(image_ids)} photos have no box: {_first(bare)}"
            )

    def _choose_categories(self, classes: set[str]) -> None:
        """Leaves out boxes of other things than their photo's class."""
        kinds = self._count_categories()
        unknown = [kind for kind in kinds if _fold_class(kind) not in classes]
        if len(unknown) == len(kinds):
            if len({_fold_class(kind) for kind in unknown}) > 1:
                self.faults.append(
                    f"{self.path}: its boxes are of {len(kinds)} categories, none of "
                    f"them a class ({_first(sorted(kinds))}): name the right ones as "
                    "their class, or keep one category"
                )
            elif unknown:
                self.notes.append(
                    f"{self.path}: all boxes are of {unknown[0]!r}, which is no class; "
                    "each counts for its photo's class"
                )
            return
        if unknown:
            count = sum(kinds[kind] for kind in unknown)
            self.notes.append(
                f"{self.path}: {count} boxes of categories that are no class are left "
                f"out: {_first(sorted(unknown))}"
            )
        before = kinds.total() - sum(kinds[kind] for kind in unknown)
        self._entries = {
            image_id: kept
            for image_id, entries in self._entries.items()
            if (kept := _of_class(entries, image_id.split("/")[1]))
        }
        others = before - self._count_categories().total()
        if others:
            self.notes.append(
                f"{self.path}: {others} boxes are of another class than their photo "
                "and left out"
            )

    def _count_categories(self) -> Counter[str]:
        return Counter(
            kind
            for entries in self._entries.values()
            for entry in entries
            for kind in filter(None, entry.categories)
        )

    def _scale(
        self, image_id: str, stated: Size | None
    ) -> tuple[tuple[float, float], str]:
        """(factors of x and y, fault) that bring stated pixels to the photo's."""
        as_it_is = (1.0, 1.0)
        size = _upright_size(self._photo_path(image_id)) if stated else None
        if size is None or size == stated:  # an unreadable photo is a fault elsewhere
            return as_it_is, ""
        (width, height), (stated_width, stated_height) = size, stated
        fault = (
            f"{image_id}: {self.path} says it is {stated_width}x{stated_height}, "
            f"the photo is {width}x{height}"
        )
        if stated == size[::-1]:
            return as_it_is, f"{fault}: as before EXIF turns it, or another photo"
        if not is_scaled(stated, size):
            return as_it_is, fault
        if not self._rescale:
            return as_it_is, f"{fault}; --config.data.rescale_boxes=True scales boxes"
        return (width / stated_width, height / stated_height), ""


def check_not_shares(path: Path | None, split: str, boxes: Iterable) -> None:
    """Raises DataError when no coordinate of a split's boxes is above 1."""
    boxes = [each for each in boxes if each is not None]
    if not boxes:
        return
    stacked = np.concatenate(boxes)
    stacked = stacked[(stacked[:, 2:] > stacked[:, :2]).all(axis=1)]
    if len(stacked) and ((stacked >= 0) & (stacked <= 1)).all():
        raise DataError(
            f"{path}: no coordinate of the {len(stacked)} boxes of split {split!r} is "
            "above 1; they seem to be shares of the photo, expected are pixels"
        )


def is_scaled(size_wh: Size, original_wh: Size) -> bool:
    """Whether a size has the original's proportions, but for rounding to a pixel."""
    (width, height), (original_width, original_height) = size_wh, original_wh
    return (
        abs(height - original_height * width / original_width) <= 1
        or abs(width - original_width * height / original_height) <= 1
    )


def _find(
    entries: Sequence[ImageBoxes], photos: box_names.PhotoNames
) -> list[str | None]:
    """The photo of each entry; None where its names mean different photos.

    An entry's first name wins where it says split, class and file.
    """
    found: list[dict[int, str]] = [{} for _ in entries]  # by the name's place
    for i in range(max((len(entry.names) for entry in entries), default=0)):
        having = [k for k, entry in enumerate(entries) if len(entry.names) > i]
        image_ids = photos.find([entries[k].names[i] for k in having])
        for k, image_id in zip(having, image_ids, strict=True):
            if image_id is not None:
                found[k][i] = image_id
    chosen = []
    for entry, of_entry in zip(entries, found, strict=True):
        is_sure = 0 in of_entry and photos.is_whole(entry.names[0])
        candidates = [of_entry[0]] if is_sure else list(of_entry.values())
        chosen.append(candidates[0] if len(set(candidates)) == 1 else None)
    return chosen


def _of_class(entries: Sequence[ImageBoxes], class_name: str) -> list[ImageBoxes]:
    kept = []
    for entry in entries:
        right = ("", _fold_class(class_name))
        is_right = np.array([_fold_class(kind) in right for kind in entry.categories])
        if is_right.any():
            kinds = tuple(np.array(entry.categories, object)[is_right])
            kept.append(
                dataclasses.replace(
                    entry, boxes=entry.boxes[is_right], categories=kinds
                )
            )
    return kept


@functools.lru_cache(maxsize=4096)
def _fold_class(name: str) -> str:
    """Equal for class names that differ in case, Unicode form or separators alone."""
    return re.sub(r"[\s_-]+", " ", box_names.fold(name)).strip()


def _upright_size(path: Path) -> Size | None:
    """A photo's size, from its head where that is enough; None if it is unreadable."""
    try:
        with open(path, "rb") as file:
            content = file.read(_HEAD)
            if content[:2] not in _TIFF:
                try:
                    return decode.read_size(content, str(path))
                except DataError:  # the head was too short
                    pass
            return decode.read_size(content + file.read(), str(path))
    except (OSError, DataError):
        return None


def _first(names: Sequence[str]) -> str:
    """The first of some names, and that there are more."""
    more = "…" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more if names else "none"
