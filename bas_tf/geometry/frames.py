"""Boxes and masks carried between an original photo and the network's input."""

import dataclasses

import cv2
import numpy as np

Size = tuple[int, int]  # width, height


@dataclasses.dataclass(frozen=True)
class CropFrame:
    """How a photo became the network's input.

    The photo is resized to `resize_size_wh` without keeping its aspect, then the
    middle `crop_size_wh` is cut out; an odd margin is smaller on the top left. With
    equal sizes nothing is cut.

    Raises:
      ValueError: a size is not positive or the crop is larger than the resized image.
    """

    original_size_wh: Size
    resize_size_wh: Size
    crop_size_wh: Size

    def __post_init__(self):
        sizes = (self.original_size_wh, self.resize_size_wh, self.crop_size_wh)
        if min(min(size) for size in sizes) < 1:
            raise ValueError(f"{self}: every width and height must be at least 1")
        if (np.array(self.crop_size_wh) > self.resize_size_wh).any():
            raise ValueError(f"{self}: the crop must fit into the resized image")

    @property
    def crop_offset_xy(self) -> tuple[int, int]:
        """Left and top margin cut off: half the difference, rounded down."""
        (resize_w, resize_h), (crop_w, crop_h) = self.resize_size_wh, self.crop_size_wh
        return (resize_w - crop_w) // 2, (resize_h - crop_h) // 2

    def original_to_crop(self, boxes_original: np.ndarray) -> np.ndarray:
        """Scales, shifts and clips true boxes as the reference does.

        Each low edge is clipped to the crop from below and each high edge from above
        only, so a box that lies wholly in the cut margin comes out inverted. It keeps
        its place in the counts, where it is missed.

        Args:
          boxes_original: [n, 4] half-open, pixels of the upright original.

        Returns:
          [n, 4] float64, half-open, pixels of the crop.
        """
        boxes = np.asarray(boxes_original, np.float64).reshape(-1, 4)
        boxes = boxes * self._scale() - self._offset()
        low = np.maximum(boxes[:, :2], 0.0)
        high = np.minimum(boxes[:, 2:], self.crop_size_wh)
        return np.concatenate([low, high], axis=1)

    def crop_to_original(self, boxes_crop: np.ndarray) -> np.ndarray:
        """Carries predicted boxes back to the photo, clipped to it.

        Args:
          boxes_crop: [n, 4] half-open, pixels of the crop.

        Returns:
          [n, 4] float64, half-open, pixels of the upright original.
        """
        boxes = np.asarray(boxes_crop, np.float64).reshape(-1, 4)
        boxes = (boxes + self._offset()) / self._scale()
        return np.clip(boxes, 0.0, np.tile(self.original_size_wh, 2))

    def mask_to_crop(self, mask: np.ndarray) -> np.ndarray:
        """Nearest-neighbour resize and centre crop: values stay 0, 128 or 255.

        Args:
          mask: uint8 [height, width] of the upright original.

        Returns:
          uint8 [crop_h, crop_w].
        """
        resized = cv2.resize(
            np.ascontiguousarray(mask),
            self.resize_size_wh,
            interpolation=cv2.INTER_NEAREST_EXACT,
        )
        left, top = self.crop_offset_xy
        width, height = self.crop_size_wh
        return resized[top : top + height, left : left + width]

    def _scale(self) -> np.ndarray:
        return np.tile(np.divide(self.resize_size_wh, self.original_size_wh), 2)

    def _offset(self) -> np.ndarray:
        return np.tile(np.array(self.crop_offset_xy, np.float64), 2)


def scale_and_truncate(
    boxes_original: np.ndarray, original_size_wh: Size, size_wh: Size
) -> np.ndarray:
    """True boxes in an image resized without a crop, as `maxboxacc` has them.

    Args:
      boxes_original: [n, 4], pixels of the upright original.
      size_wh: what it was resized to.

    Returns:
      int64 [n, 4], pixels of the resized image, cut down to whole ones. A box with an
      area may come out with none; it still covers the extra pixel of `iou_plus_one`.
    """
    boxes = np.asarray(boxes_original, np.float64).reshape(-1, 4)
    # First times, then by: 55 * (224 / 55) would be cut down to 223.
    scaled = boxes * np.tile(size_wh, 2) / np.tile(original_size_wh, 2)
    return scaled.astype(np.int64)


def mask_to_size(mask: np.ndarray, size_wh: Size) -> np.ndarray:
    """Resizes a mask without a crop, as `pxap` has it.

    `CropFrame.mask_to_crop` takes the pixel under each centre; this takes the one
    under each upper left corner, as the protocol's public evaluator does.
    """
    mask = np.ascontiguousarray(mask)
    return cv2.resize(mask, tuple(size_wh), interpolation=cv2.INTER_NEAREST)
