"""True boxes and masks in the frame of the network's crop. Evaluation only."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.geometry.frames import CropFrame, scale_and_truncate

Size = tuple[int, int]  # width, height


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """True boxes of the images that have any.

    Attributes:
      images: int64 [n], positions in the records of the images with true boxes.
      boxes: n arrays [m_i, 4], m_i >= 1, pixels of the crop: float64 and half-open
        from `load_ground_truth`, whole numbers from `load_resized_truth`. A box that
        lies in the cut margin is inverted and cannot be hit.
      resize_size_wh, crop_size_wh: the frame.
      num_empty_boxes: true boxes of the records without an area, left out.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    resize_size_wh: Size
    crop_size_wh: Size
    num_empty_boxes: int = 0


def load_ground_truth(
    records: Sequence[Record], *, resize_size_wh: Size, crop_size_wh: Size
) -> GroundTruth:
    """Carries the records' boxes into the crop, as protocol `bas` does.

    Raises:
      DataError: the size of an image with boxes cannot be read.
    """

    def carry(boxes: np.ndarray, size_wh: Size, crop_size_wh: Size) -> np.ndarray:
        frame = CropFrame(size_wh, resize_size_wh, crop_size_wh)
        return frame.original_to_crop(boxes)

    return _load(records, carry, resize_size_wh, crop_size_wh)


def load_resized_truth(
    records: Sequence[Record], *, resize_size_wh: Size, crop_size_wh: Size
) -> GroundTruth:
    """Carries the boxes into an image resized without a crop, as `maxboxacc` does.

    Args:
      records: as for `load_ground_truth`; so are the errors.
      resize_size_wh: equal to the crop's.
      crop_size_wh: width and height of the network's input.
    """
    return _load(records, scale_and_truncate, resize_size_wh, crop_size_wh)


def _load(
    records: Sequence[Record],
    carry: Callable[[np.ndarray, Size, Size], np.ndarray],
    resize_size_wh: Size,
    crop_size_wh: Size,
) -> GroundTruth:
    images, boxes, num_empty = [], [], 0
    for i, record in enumerate(records):
        if record.boxes_original is None:
            continue
        original = np.reshape(record.boxes_original, (-1, 4))
        has_area = (original[:, 2:] > original[:, :2]).all(axis=1)
        num_empty += int((~has_area).sum())
        if has_area.any():
            images.append(i)
            size_wh = record.image.read_size_wh()
            boxes.append(carry(original[has_area], size_wh, crop_size_wh))
    return GroundTruth(
        images=np.asarray(images, np.int64),
        boxes=boxes,
        resize_size_wh=resize_size_wh,
        crop_size_wh=crop_size_wh,
        num_empty_boxes=num_empty,
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
