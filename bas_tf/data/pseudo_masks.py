"""Masks of training photos that a model or another tool made, read from a folder.

Of one object's pixels, or label maps of several classes.
"""

import collections
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bas_tf.data import decode
from bas_tf.data.records import Record
from bas_tf.errors import DataError, UserError
from bas_tf.geometry.frames import Size
from bas_tf.names import UNSURE_LABEL

OBJECT, BACKGROUND, UNSURE = 255, 0, 128
INDEX_FILE = "pseudo_masks.json"  # of bas_tf.refine; masks of other tools have none
LABEL_MAPS_FILE = "label_maps.json"  # likewise, of label maps
_CHECKED = 64  # photos whose content is compared with what the masks were made from
_SAME_ASPECT = 0.02


def mask_paths(folder: Path, image_ids: Sequence[str]) -> list[Path]:
    """Where masks lie: of cats/a.jpg at cats/a.png, or cats/a.jpg.png next to a.bmp."""
    stems = [Path(image_id).with_suffix("") for image_id in image_ids]
    counts = collections.Counter(stems)
    return [
        folder / f"{stem if counts[stem] == 1 else image_id}.png"
        for stem, image_id in zip(stems, image_ids, strict=True)
    ]


def content_hash(record: Record) -> str:
    """Of the photo's file; raises DataError where it cannot be read."""
    return hashlib.sha256(record.image.encode()[0]).hexdigest()


class PseudoMasks:
    """The masks of some training photos, in the order of their records.

    A mask is a PNG of one channel, of the photo's proportions: 255 object, 0
    background, anything between is unsure. A label map has 0 for background, k + 1 for
    class k and UNSURE_LABEL. A photo without one has no mask loss.

    Args:
      folder: of bas_tf.refine, or of any masks at `mask_paths`.
      records: of split train.
      classes: of label maps, in the order of their labels; None for masks.

    Attributes:
      has_corrections: whether bas_tf.refine made some by `data.corrected_boxes`.

    Raises:
      UserError: no mask in it for any photo, unless bas_tf.refine made none; a folder
        of bas_tf.refine that is not finished, was made from other photos, of other
        classes, or has label maps in place of masks or the other way round.
    """

    def __init__(
        self,
        folder: str | Path,
        records: Sequence[Record],
        classes: Sequence[str] | None = None,
    ):
        self.folder, self._classes = Path(folder), classes
        self._check_kind()
        paths = mask_paths(self.folder, [record.image_id for record in records])
        self._paths = [path if path.is_file() else None for path in paths]
        self._records = records
        self.count = sum(path is not None for path in self._paths)
        self.has_corrections = False
        made_by_refine = (self.folder / INDEX_FILE).is_file()
        if not self.count and not made_by_refine:
            raise UserError(
                f"data.pseudo_masks={folder}: has no mask for any of {len(records)} "
                f"training photos; expected files such as {paths[0]}"
            )
        if made_by_refine:
            self._check_photos()
        if (self.folder / LABEL_MAPS_FILE).is_file():
            self._check_label_maps()

    def _check_kind(self) -> None:
        are_label_maps = self._classes is not None
        other = INDEX_FILE if are_label_maps else LABEL_MAPS_FILE
        if (self.folder / other).is_file():
            kinds = "masks of one object", "label maps of several classes"
            raise UserError(
                f"data.pseudo_masks={self.folder}: has {kinds[not are_label_maps]}; "
                f"this training needs {kinds[are_label_maps]}"
            )

    def _check_label_maps(self) -> None:
        path = self.folder / LABEL_MAPS_FILE
        index = json.loads(path.read_text(encoding="utf-8"))
        photos = index["training_photos"]["count"]
        if index["done"] < photos:
            raise UserError(
                f"{path}: {index['done']} of {photos} label maps are there; the same "
                "bas_tf.refine command continues"
            )
        if index["split"] != "train" or photos != len(self._records):
            raise UserError(
                f"{path}: is of {photos} photos of split {index['split']}, not of the "
                f"{len(self._records)} training photos; run bas_tf.refine on this data"
            )
        if index["class_names"] != list(self._classes):
            raise UserError(
                f"{path}: its labels are {_listed(index['class_names'])}, the classes "
                f"of this training {_listed(self._classes)}"
            )

    def _check_photos(self) -> None:
        path = self.folder / INDEX_FILE
        index = json.loads(path.read_text(encoding="utf-8"))
        if not index["finished"]:
            raise UserError(
                f"{path}: the masks are not finished; the same bas_tf.refine command "
                "continues"
            )
        self.has_corrections = bool(index.get("corrected_boxes"))
        masked = [r for r, p in zip(self._records, self._paths, strict=True) if p]
        for record in masked[:: len(masked) // _CHECKED + 1]:
            known = index["photos"].get(record.image_id, {}).get("sha256")
            if known != content_hash(record):
                raise UserError(
                    f"data.pseudo_masks={self.folder}: {record.image_id} is not the "
                    "photo that its mask was made from; run bas_tf.refine on this data"
                )

    def load(self, position: int, size_wh: Size) -> np.ndarray:
        """A photo's mask, resized: uint8 [height, width], unsure where it has none.

        Raises:
          DataError: it cannot be read, has other proportions than its photo, other
            values than those of masks, or a label of no class.
        """
        path = self._paths[position]
        if path is None:
            unsure = UNSURE if self._classes is None else UNSURE_LABEL
            return np.full(size_wh[::-1], unsure, np.uint8)
        decoded = decode.decode_mask(path)
        if self._classes is None:
            check_values(decoded, f"{path}:")
        else:
            _check_labels(decoded, len(self._classes), path)
        mask = Image.fromarray(decoded)
        width, height = self._records[position].image.read_size_wh()
        if abs(mask.width * height / (mask.height * width) - 1) > _SAME_ASPECT:
            raise DataError(
                f"{path}: is {mask.width}x{mask.height}, its photo {width}x{height}; "
                "a mask needs its photo's proportions"
            )
        return np.asarray(mask.resize(size_wh, Image.Resampling.NEAREST))


def check_values(mask: np.ndarray, where: str) -> None:
    """Raises DataError for a mask that marks its object by another value than 255."""
    if mask.max(initial=0) < OBJECT and np.any(others := ~np.isin(mask, [0, UNSURE])):
        raise DataError(
            f"{where} has value {mask[others][0]} and no {OBJECT}; expected {OBJECT} "
            f"for the object, {BACKGROUND} for background, {UNSURE} for unsure"
        )


def _check_labels(label_map: np.ndarray, num_classes: int, path: Path) -> None:
    highest = label_map[label_map != UNSURE_LABEL].max(initial=0)
    if highest > num_classes:
        raise DataError(
            f"{path}: has label {highest}; expected a grey PNG of 0 for background, 1 "
            f"to {num_classes} for the classes and {UNSURE_LABEL} for unsure"
        )


def _listed(class_names: Sequence[str]) -> str:
    return f"{len(class_names)} ({', '.join(class_names[:3])}…)"


def check_corrected(corrected_boxes: str, masks: PseudoMasks | None) -> None:
    """Raises UserError for `data.corrected_boxes` that no mask was made with."""
    if corrected_boxes and not (masks and masks.has_corrections):
        raise UserError(
            f"data.corrected_boxes={corrected_boxes}: this training has no masks that "
            "were made with it; set train.self_training_rounds to 1 or more, or run "
            "bas_tf.refine with it and set data.pseudo_masks to its --output"
        )
