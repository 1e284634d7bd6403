"""Masks of training photos that a model or another tool made, read from a folder."""

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

OBJECT, BACKGROUND, UNSURE = 255, 0, 128
INDEX_FILE = "pseudo_masks.json"  # of bas_tf.refine; masks of other tools have none
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
    background, anything between is unsure. A photo without one has no mask loss.

    Args:
      folder: of bas_tf.refine, or of any masks at `mask_paths`.
      records: of split train.

    Attributes:
      has_corrections: whether bas_tf.refine made some by `data.corrected_boxes`.

    Raises:
      UserError: no mask in it for any photo, unless bas_tf.refine made none; a folder
        of bas_tf.refine that is not finished, or was made from other photos.
    """

    def __init__(self, folder: str | Path, records: Sequence[Record]):
        self.folder = Path(folder)
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
        """A photo's mask, resized: uint8 [height, width], UNSURE where it has none.

        Raises:
          DataError: it cannot be read, or has other proportions than its photo.
        """
        path = self._paths[position]
        if path is None:
            return np.full(size_wh[::-1], UNSURE, np.uint8)
        mask = Image.fromarray(decode.decode_mask(path))
        width, height = self._records[position].image.read_size_wh()
        if abs(mask.width * height / (mask.height * width) - 1) > _SAME_ASPECT:
            raise DataError(
                f"{path}: is {mask.width}x{mask.height}, its photo {width}x{height}; "
                "a mask needs its photo's proportions"
            )
        return np.asarray(mask.resize(size_wh, Image.Resampling.NEAREST))


def check_corrected(corrected_boxes: str, masks: PseudoMasks | None) -> None:
    """Raises UserError for `data.corrected_boxes` that no mask was made with."""
    if corrected_boxes and not (masks and masks.has_corrections):
        raise UserError(
            f"data.corrected_boxes={corrected_boxes}: this training has no masks that "
            "were made with it; set train.self_training_rounds to 1 or more, or run "
            "bas_tf.refine with it and set data.pseudo_masks to its --output"
        )
