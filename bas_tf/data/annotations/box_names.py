"""Which photo a name in a box file means: exactly one, or none.

A photo is `<split>/<class>/<file>`. A name may have anything before those three, be
written in another case, Unicode form or with backslashes, and say valid or validation
for val. One that lacks the split or the class, or both, counts where a single photo
fits, and where whatever else it has in front is the same in all names of the file.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from bas_tf.data.annotations.annotation_files import nfc
from bas_tf.data.decode import EXTENSIONS

_SPLITS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_USUAL_SPLITS = {"train", "val", "test"}


class _LeftOut(str):
    """The split, absent here, that a name is of."""


@dataclasses.dataclass(frozen=True)
class _Photo:
    """A photo as names are compared with it: folded, and as it is written."""

    image_id: str
    written: tuple[str, ...]
    split: str
    class_name: str


@dataclasses.dataclass(frozen=True)
class _Reading:
    """What a name may mean."""

    photos: list[_Photo]  # those that fit all it says
    before: tuple[str, ...]  # the folders in front, which say nothing
    parts: int  # how many of the photo's three parts it has


class PhotoNames:
    """The photos of a folder, to be found by what a box file calls them.

    Args:
      image_ids: `<split>/<class>/<file>` of every photo.
      splits: the folders that are splits, also those without photos.
    """

    def __init__(self, image_ids: Iterable[str], splits: Iterable[str]):
        self._by_file: dict[str, list[_Photo]] = {}
        self._by_stem: dict[str, list[_Photo]] = {}
        self._splits = {split_of(name) for name in splits}
        self._classes = set()
        for image_id in image_ids:
            split, class_name, file = image_id.split("/")
            photo = _Photo(
                image_id, parts_of(image_id), split_of(split), fold(class_name)
            )
            self._classes.add(photo.class_name)
            self._by_file.setdefault(fold(file), []).append(photo)
            stem = fold(file.rpartition(".")[0])
            self._by_stem.setdefault(stem, []).append(photo)

    def find(self, names: Sequence[str]) -> list[str | _LeftOut | None]:
        """For each name its photo's image_id; None where none or several fit.

        A name of a split that is not here gives `_LeftOut`, see `is_left_out`.
        """
        parts = [parts_of(name) for name in names]
        readings = [self._read(each) for each in parts]
        befores = {r.before for r in readings if isinstance(r, _Reading)}
        return [
            self._pick(each, reading, is_one_folder=len(befores) == 1)
            if isinstance(reading, _Reading)
            else reading
            for each, reading in zip(parts, readings, strict=True)
        ]

    def is_whole(self, name: str) -> bool:
        """Whether a name ends in split, class and file."""
        parts = parts_of(name)
        known = self._splits | _USUAL_SPLITS
        return len(parts) > 2 and split_of(parts[-3]) in known

    def _read(self, parts: tuple[str, ...]) -> _Reading | _LeftOut | None:
        if not parts:
            return None
        *folders, file = parts
        named = self._by_file.get(fold(file), [])
        if not file.lower().endswith(EXTENSIONS):
            named = named or self._by_stem.get(fold(file), [])
        outer, inner = ("", "", *folders)[-2:]
        known = self._splits | _USUAL_SPLITS
        if split_of(outer) in known:
            fitting = [
                p for p in named
                if (p.split, p.class_name) == (split_of(outer), fold(inner))
            ]  # fmt: skip
            if not fitting and split_of(outer) not in self._splits:
                return _LeftOut(split_of(outer))
            return _Reading(fitting, tuple(folders[:-2]), 3)
        is_split, is_class = split_of(inner) in known, fold(inner) in self._classes
        if is_split and not is_class and split_of(inner) not in self._splits:
            return _LeftOut(split_of(inner))
        if is_split or is_class:
            fitting = [
                p for p in named
                if (is_split and p.split == split_of(inner))
                or (is_class and p.class_name == fold(inner))
            ]  # fmt: skip
            return _Reading(fitting, tuple(folders[:-1]), 2)
        return _Reading(named, tuple(folders), 1)

    def _pick(
        self, parts: tuple[str, ...], reading: _Reading, *, is_one_folder: bool
    ) -> str | None:
        photos = reading.photos
        if len(photos) > 1:  # as on systems that tell a.jpg from A.jpg
            end = parts[-reading.parts :]
            photos = [p for p in photos if p.written[-reading.parts :] == end]
        if len(photos) != 1:
            return None
        if reading.parts < 3 and reading.before:
            said = {split_of(part) for part in reading.before}
            said &= self._splits | _USUAL_SPLITS
            if not is_one_folder or (said and photos[0].split not in said):
                return None
        return photos[0].image_id


def is_left_out(found: str | None) -> bool:
    """Whether what `PhotoNames.find` gives is the name of a split that is not here."""
    return isinstance(found, _LeftOut)


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a path in Unicode's form C, without `.`, `..` and empty ones."""
    parts: list[str] = []
    for part in nfc(name).replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def fold(text: str) -> str:
    """Equal for names that differ in case or Unicode form alone."""
    return nfc(nfc(text).casefold())


def split_of(folder: str) -> str:
    """A split by its usual name."""
    folder = fold(folder)
    return _SPLITS.get(folder, folder)
