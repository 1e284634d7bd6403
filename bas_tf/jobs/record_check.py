"""What is wrong with one record: its image, its boxes, its mask."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm.auto import tqdm

from bas_tf.data import decode
from bas_tf.data.annotations.box_files import is_scaled
from bas_tf.data.images import READERS
from bas_tf.data.pseudo_masks import check_values
from bas_tf.data.records import DataError, Record
from bas_tf.errors import one_line

# What float32 adds to a box that was stored as shares of its image.
ROUNDING = 0.01
# The brightest that 14 bits in 16 get of 255; those of 16 bits are brighter.
_DARK = 64
_BATCH = 1024  # images handed to the threads at a time


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault or note.

    Attributes:
      kind: a key of FAULTS or NOTES in bas_tf/report/data_table.py.
      split: where it is; "" when it is of several splits or of all.
      images: the image_id of every record it is about, or the file that is none.
      message: one line that names the file.
    """

    kind: str
    split: str
    images: tuple[str, ...]
    message: str


@dataclasses.dataclass(frozen=True)
class Seen:
    """What one record showed.

    Attributes:
      size_wh: of the upright image; None when it cannot be read.
      digest: equal for images of equal pixels; None when it cannot be read.
      faults: what is wrong with it.
      notes: what is worth a look.
    """

    size_wh: tuple[int, int] | None
    digest: bytes | None
    faults: list[Finding]
    notes: list[Finding]


def look_at_all(records: Sequence[Record], split: str) -> Iterator[Seen]:
    """What each record of a split shows, in their order, read by several threads."""

    def look(record: Record) -> Seen:
        return look_at(record, split)

    with (
        ThreadPoolExecutor(READERS) as pool,
        tqdm(total=len(records), desc=split, unit="image", disable=None) as bar,
    ):
        for start in range(0, len(records), _BATCH):
            for seen in pool.map(look, records[start : start + _BATCH]):
                bar.update()
                yield seen


def look_at(record: Record, split: str) -> Seen:
    """Reads a record's image and mask once; nothing that is wrong with it raises."""
    image_id, size, digest, faults = record.image_id, None, None, []
    notes = []
    try:
        image = record.load_image()
        size, digest = (image.shape[1], image.shape[0]), _digest(image)
        notes += _unused_bits(record, split, brightest=int(image.max()))
    except DataError as error:
        message = one_line(error)
        faults.append(Finding("unreadable_image", split, (image_id,), message))
    for box in () if record.boxes_original is None else record.boxes_original:
        kind, reason = box_fault(box, size)
        if kind:
            numbers = ", ".join(f"{number:g}" for number in box)
            message = f"{image_id}: box [{numbers}] {reason}"
            faults.append(Finding(kind, split, (image_id,), message))
    of_mask = list(_look_at_mask(record, split, size))
    scaled = [finding for finding in of_mask if finding.kind == "mask_scaled"]
    faults += [finding for finding in of_mask if finding not in scaled]
    notes += scaled
    return Seen(size, digest, faults, notes)


def box_fault(box: np.ndarray, size_wh: tuple[int, int] | None) -> tuple[str, str]:
    """What is wrong with a box: (kind, reason), or ("", "") when nothing is.

    Args:
      box: [4] x0, y0, x1, y1, half-open, pixels of the upright image.
      size_wh: of the image; None when unknown, then only the box itself is looked at.
    """
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0:
        return "box_inverted", "is inverted"
    if x0 == x1 or y0 == y1:
        return "box_empty", "is empty"
    if size_wh and reaches_outside(box, np.array(size_wh)):
        return "box_outside", f"reaches outside the {_times(size_wh)} image"
    return "", ""


def reaches_outside(boxes: np.ndarray, sizes_wh: np.ndarray) -> np.ndarray:
    """Which boxes [..., 4] reach outside their images [..., 2]: bool [...]."""
    limits = np.concatenate([sizes_wh, sizes_wh], axis=-1) + ROUNDING
    return ((boxes < -ROUNDING) | (boxes > limits)).any(axis=-1)


def _unused_bits(record: Record, split: str, *, brightest: int) -> Iterator[Finding]:
    """A note where 10, 12 or 14 bits were stored in 16 as they are."""
    if brightest > _DARK:
        return
    content, _ = record.image.encode()
    if decode.bits_per_channel(content, record.image_id) < 16:
        return
    bits = 8 + max(brightest - 1, 0).bit_length()
    message = (
        f"{record.image_id}: nearly black, at most {brightest} of 255: of 16 bits a "
        f"channel {bits} are used; scale its values to all 16"
    )
    yield Finding("dark_16_bits", split, (record.image_id,), message)


def _look_at_mask(
    record: Record, split: str, size_wh: tuple[int, int] | None
) -> Iterator[Finding]:
    if record.load_mask is None:
        return
    try:
        mask = record.load_mask()
    except DataError as error:
        yield Finding("unreadable_mask", split, (record.image_id,), one_line(error))
        return
    try:
        check_values(mask, f"{record.image_id}: its mask")
    except DataError as error:
        yield Finding("mask_values", split, (record.image_id,), one_line(error))
    height, width = mask.shape
    if size_wh and size_wh != (width, height):
        # Evaluation brings masks to the network's input whatever their size, so one in
        # the image's proportions still lies on it; one that is turned or cut does not.
        kind = "mask_scaled" if is_scaled((width, height), size_wh) else "mask_size"
        message = (
            f"{record.image_id}: its mask is {width}x{height}, "
            f"the image {_times(size_wh)}"
        )
        yield Finding(kind, split, (record.image_id,), message)


def _digest(image: np.ndarray) -> bytes:
    """Equal for equal pixels in equal places."""
    content = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    content.update(np.ascontiguousarray(image))
    return content.digest()


def _times(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
