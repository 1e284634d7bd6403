"""Images that an int8 conversion measures its ranges on."""

from collections.abc import Iterator

import numpy as np

from bas_tf import names
from bas_tf.data import pipeline
from bas_tf.errors import UserError
from bas_tf.runners import as_tflite_input

FEWEST = 100  # different images, where the config asks for as many


def calibration_crops(config, source) -> tuple[np.ndarray, np.ndarray]:
    """Distinct training images, evenly picked, as the network sees them.

    Returns:
      uint8 [n, crop_h, crop_w, 3], and their classes, int32 [n].

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
    needed = min(FEWEST, config.export.calibration_images)
    if distinct < needed:
        raise UserError(
            f"export.calibration_images: {distinct} different images among {count}; "
            f"int8 needs at least {needed}"
        )
    return crops, images.labels


def representative_dataset(
    crops: np.ndarray, class_ids: np.ndarray, specs: dict[str, np.dtype]
) -> Iterator[list[np.ndarray]]:
    """One image at a time, as TensorFlow Lite's converter asks for them.

    Args:
      crops, class_ids: of `calibration_crops`.
      specs: {input of the signature: its dtype}.

    Yields:
      The inputs in the order of their names, as the converter has them.
    """
    for crop, class_id in zip(crops, class_ids, strict=True):
        inputs = {
            names.IMAGES: as_tflite_input(crop[np.newaxis], specs[names.IMAGES]),
            names.CLASS_IDS: np.array([class_id], np.int32),
        }
        yield [inputs[name] for name in sorted(specs)]
