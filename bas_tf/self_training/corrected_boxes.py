"""Boxes of training photos that a person has corrected (`data.corrected_boxes`)."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from bas_tf.data.annotations.box_files import BoxFile, check_not_shares
from bas_tf.data.records import DataError, Record, Source
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import UserError
from bas_tf.jobs.record_check import box_fault


def read_corrected_boxes(
    path: str, source: Source, records: Sequence[Record]
) -> dict[str, np.ndarray]:
    """The boxes of a file that are of training photos; how many is logged.

    Args:
      path: anything `box_forms` reads; "" has no boxes.
      source: of the photos; it must be source `folder`.
      records: of split train. Boxes of all other photos are skipped and counted.

    Returns:
      {image_id: float32 [n, 4] half-open, pixels of the upright photo}.

    Raises:
      UserError: another source, or no box of a training photo.
      DataError: the file cannot be read, or a box does not fit its photo.
    """
    if not path:
        return {}
    key = f"data.corrected_boxes={path}"
    if not isinstance(source, FolderSource):
        raise UserError(f"{key}: works with data.source=folder alone")
    file = source.match_boxes(Path(path))
    if file.faults:
        raise DataError(f"data.corrected_boxes: {file.faults[0]}")
    named = set(file.image_ids)
    corrected = {r.image_id: _boxes_of(r, file) for r in records if r.image_id in named}
    check_not_shares(file.path, "train", corrected.values())
    others = sorted(named - corrected.keys())
    if not corrected:
        raise UserError(
            f"{key}: none of its {len(others)} photos is a training photo, the first "
            f"is {others[0]!r}; boxes of other photos are never used for training"
        )
    for note in file.notes:
        logging.warning("%s", note)
    if others:
        logging.warning(
            "%s: skipped %d photos that are not training photos, the first is %r",
            key, len(others), others[0],
        )  # fmt: skip
    logging.info(
        "%s: boxes of %d of %d training photos", key, len(corrected), len(records)
    )
    return corrected


def fingerprint(corrected: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """What tells two sets of corrected boxes apart; None of none."""
    if not corrected:
        return None
    digest = hashlib.sha256()
    for image_id in sorted(corrected):
        digest.update(image_id.encode(errors="surrogateescape"))
        digest.update(corrected[image_id].tobytes())
    return {"count": len(corrected), "sha256": digest.hexdigest()}


def _boxes_of(record: Record, file: BoxFile) -> np.ndarray:
    of_photo = file.of(record.image_id)
    if of_photo.faults:
        raise DataError(f"data.corrected_boxes: {of_photo.faults[0]}")
    size_wh = record.image.read_size_wh()
    for box in of_photo.boxes:
        if reason := box_fault(box, size_wh)[1]:
            numbers = ", ".join(f"{number:g}" for number in box)
            raise DataError(
                f"data.corrected_boxes={file.path}: {record.image_id}: box [{numbers}] "
                f"{reason}"
            )
    return of_photo.boxes
