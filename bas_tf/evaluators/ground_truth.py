"""True boxes and masks in the frame of the network's crop. Evaluation only."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.geometry.frames import CropFrame

Size = tuple[int, int]  # width, height


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """True boxes of the images that have any.

    Attributes:
      images: int64 [n], positions in the records of the images with true boxes.
      boxes: n arrays float64 [m_i, 4], m_i >= 1, half-open, pixels of the crop. A box
        that lies in the cut margin is inverted and cannot be hit.
      resize_size_wh, crop_size_wh: the frame.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    resize_size_wh: Size
    crop_size_wh: Size


def load_ground_truth(
    records: Sequence[Record], *, resize_size_wh: Size, crop_size_wh: Size
) -> GroundTruth:
    """Carries the records' boxes into the crop.

    An image with boxes is decoded once, since a record does not know its size.

    Raises:
      DataError: an image cannot be read.
    """
    images = [i for i, record in enumerate(records) if _has_boxes(record)]
    boxes = []
    for i in images:
        size_wh = records[i].load_image().shape[1::-1]
        frame = CropFrame(size_wh, resize_size_wh, crop_size_wh)
        boxes.append(frame.original_to_crop(records[i].boxes_original))
    return GroundTruth(
        images=np.asarray(images, np.int64),
        boxes=boxes,
        resize_size_wh=resize_size_wh,
        crop_size_wh=crop_size_wh,
    )


def crop_masks(
    records: Sequence[Record], *, resize_size_wh: Size, crop_size_wh: Size
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (position, uint8 [crop_h, crop_w] mask) of the records that have one."""
    for i, record in enumerate(records):
        if record.load_mask is not None:
            mask = record.load_mask()
            frame = CropFrame(mask.shape[1::-1], resize_size_wh, crop_size_wh)
            yield i, frame.mask_to_crop(mask)


def _has_boxes(record: Record) -> bool:
    return record.boxes_original is not None and len(record.boxes_original) > 0
