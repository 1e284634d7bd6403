"""Images that an int8 conversion measures its ranges on."""

from collections.abc import Iterator

import numpy as np

from bas_tf.data import pipeline
from bas_tf.errors import UserError


def calibration_crops(config, source) -> np.ndarray:
    """Distinct training images, evenly picked, as the network sees them.

    Returns:
      uint8 [n, crop_h, crop_w, 3].

    Raises:
      UserError: too few different images to measure ranges on.
    """
    records = source.records("train")
    count = min(config.export.calibration_images, len(records))
    picked = np.linspace(0, len(records) - 1, count).astype(int)
    images = pipeline.ResizedImages(
        [records[i] for i in picked],
        resize_size_wh=tuple(config.data.resize_size),
        keep=False,
    )
    crops = pipeline.centre_crops(
        images, range(count), crop_size_wh=tuple(config.data.crop_size)
    )
    distinct = len({crop.tobytes() for crop in crops})
    if distinct < min(16, config.export.calibration_images):
        raise UserError(
            f"export.calibration_images: {distinct} different images among {count}; "
            "int8 needs at least 16"
        )
    return crops


def representative_dataset(crops: np.ndarray) -> Iterator[list[np.ndarray]]:
    """One image at a time, as TensorFlow Lite's converter asks for them."""
    for crop in crops:
        yield [crop[np.newaxis]]
