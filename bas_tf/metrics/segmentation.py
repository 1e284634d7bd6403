"""Foreground pixels against true masks, where there are any."""

from collections.abc import Mapping

import numpy as np

OBJECT, IGNORE = 255, 128


class SegmentationMetrics:
    """Pools pixels over images; pixels marked `IGNORE` do not count."""

    def __init__(self):
        self.num_images = 0
        self._true = self._predicted = self._both = self._peaks = 0

    def update(
        self, score_map: np.ndarray, mask: np.ndarray, *, score_threshold: float
    ) -> None:
        """Adds one image.

        Args:
          score_map: float32 [h, w], normalised; its foreground is what is strictly
            above the threshold, all components of it.
          mask: uint8 [h, w], same frame: 0 background, 255 object, 128 ignore.
          score_threshold: in [0, 1].
        """
        is_object, counts = mask == OBJECT, mask != IGNORE
        predicted = (score_map > np.float32(score_threshold)) & counts
        self.num_images += 1
        self._true += int(is_object.sum())
        self._predicted += int(predicted.sum())
        self._both += int((predicted & is_object).sum())
        has_peak = score_map.max() > 0  # a degenerate map is all zeros
        self._peaks += int(has_peak and is_object.flat[np.argmax(score_map)])

    def results(self) -> Mapping[str, float]:
        """The figures, empty before the first image.

        `pixel_iou` and `pixel_precision` are 0 where there is nothing to divide by;
        `peak_in_mask` is the fraction of images whose highest pixel is on the object.
        """
        if self.num_images == 0:
            return {}
        union = self._true + self._predicted - self._both
        return {
            "pixel_iou": self._both / max(union, 1),
            "pixel_precision": self._both / max(self._predicted, 1),
            "peak_in_mask": self._peaks / self.num_images,
        }
