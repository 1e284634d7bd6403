"""Source `open_images30k`: OpenImages30k in the layout of the WSOL evaluation kit.

  root/<split>/<class>/*.jpg          and the PNG masks next to the photos
  and of each split, in root/metadata/OpenImages/<split>/, root/metadata/<split>/ or
  root/<split>/:
    class_labels.txt                  image,label
    localization.txt                  image,mask,ignore mask; one line an instance, the
                                      ignore mask in the first; none for train

Paths are relative to root. There are masks and no boxes.
"""

import functools
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from bas_tf.data import decode
from bas_tf.data.annotations.annotation_files import (
    labels_of,
    read_rows,
    to_whole_number,
    wrong_layout,
)
from bas_tf.data.records import DataError, Record
from bas_tf.data.sources.published import PublishedSet

LABELS, MASKS = "class_labels.txt", "localization.txt"
_METADATA = ("metadata/OpenImages/{}", "metadata/{}", "{}")


class OpenImages30kSource(PublishedSet):
    """The photos, with a mask each on val and test.

    Classes are the folders, in the order of their labels.
    """

    def __init__(self, *, root: str, class_names: Sequence[str] | None = None):
        self._root = Path(root)
        if not self._root.is_dir():
            raise DataError(f"data.root is {root!r}: no such folder")
        self._metadata = _find_metadata(self._root)
        self.splits = tuple(self._metadata)
        path = self._metadata[self.splits[0]] / LABELS
        self.class_names = tuple(class_names or _class_names(path))

    def _records(self, split: str) -> list[Record]:
        metadata = self._metadata[split]
        folder_of, _ = _read_labels(metadata / LABELS)
        label_of = labels_of(
            folder_of.values(), self.class_names, folder=self._root / split
        )
        masks = _read_masks(metadata / MASKS, self._root)
        strangers = sorted(masks.keys() - folder_of.keys())
        if strangers:
            raise DataError(
                f"{metadata / MASKS}: names {strangers[0]!r}, which has no label "
                f"in {LABELS}"
            )
        load = {
            image: functools.partial(load_mask, *paths)
            for image, paths in masks.items()
        }
        return [
            self._record(image, label_of[folder], load_mask=load.get(image))
            for image, folder in folder_of.items()
        ]


def _read_labels(path: Path) -> tuple[dict[str, str], dict[int, str]]:
    """{image: its class folder}, in the file's order, and {label: class folder}."""
    folder_of: dict[str, str] = {}
    folders: dict[int, str] = {}
    for row in read_rows(path, ("image", "label"), separator=","):
        image, folder = row.fields[0], PurePosixPath(row.fields[0]).parent.name
        label = to_whole_number(row.place, "label", row.fields[1])
        if folders.setdefault(label, folder) != folder:
            raise DataError(
                f"{row.place}: label {label} is of {folder!r} here and of "
                f"{folders[label]!r} above"
            )
        folder_of[image] = folder
    return folder_of, folders


def _class_names(path: Path) -> list[str]:
    """The class folders by label; every label from 0 on has its own."""
    _, folders = _read_labels(path)
    names = [folders[label] for label in sorted(folders)]
    count = len(names)
    if not count or max(folders) >= count or len(set(names)) < count:
        raise DataError(
            f"{path}: labels are {sorted(folders)[:5]}… of "
            f"{len(set(names))} class folders; expected 0, 1, 2… of as many"
        )
    return names


def load_mask(instances: Sequence[Path], ignore: Path | None) -> np.ndarray:
    """The union of an image's instance masks, the rest of its ignore mask left open.

    Args:
      instances: PNG files, one or more; another size than the first's is brought to it.
      ignore: a PNG file, or None.

    Returns:
      uint8 [height, width] of the first instance: 255 object, 128 ignore, else 0.
    """
    covered = _decode_binary(instances[0])
    for path in instances[1:]:
        covered |= _at_size(_decode_binary(path), covered.shape)
    mask = np.where(covered, 255, 0).astype(np.uint8)
    if ignore is not None:
        mask[_at_size(_decode_binary(ignore), covered.shape) & ~covered] = 128
    return mask


def _decode_binary(path: Path) -> np.ndarray:
    return decode.decode_mask(path) > 0


def _at_size(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if mask.shape == shape:
        return mask
    resized = cv2.resize(
        mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    return resized.astype(bool)


def _read_masks(path: Path, root: Path) -> dict[str, tuple[list[Path], Path | None]]:
    """{image: (instance masks, ignore mask)}; empty when there is no such file."""
    masks: dict[str, tuple[list[Path], Path | None]] = {}
    if not path.is_file():
        return masks
    for row in read_rows(path, ("image", "mask", "ignore"), separator=","):
        image, mask, ignore = row.fields
        if not mask:
            raise DataError(f"{row.place}: names no mask")
        if image not in masks:
            masks[image] = [], root / ignore if ignore else None
        elif ignore:
            raise DataError(
                f"{row.place}: a second ignore mask of {image}; only its first line "
                "has one"
            )
        masks[image][0].append(root / mask)
    return masks


def _find_metadata(root: Path) -> dict[str, Path]:
    """{split: the folder with its tables}."""
    found = {}
    for split in ("train", "val", "test"):
        for place in _METADATA:
            if (root / place.format(split) / LABELS).is_file():
                found.setdefault(split, root / place.format(split))
    if not found:
        raise wrong_layout(
            root,
            f"train/, val/ and test/ with photos, and {LABELS} and {MASKS} of each "
            "split in metadata/OpenImages/<split>/",
        )
    return found
