"""Images that an int8 conversion measures its ranges on."""

import numpy as np

from bas_tf.data import pipeline
from bas_tf.errors import UserError

FEWEST = 100  # different images, where the config asks for as many


def crops_of(loaded) -> np.ndarray:
    """`calibration_crops` of a workdir's `experiment.Experiment`."""
    from bas_tf.jobs import experiment

    source = experiment.open_source(loaded.config, loaded.class_names)
    return calibration_crops(loaded.config, source)


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
    needed = min(FEWEST, config.export.calibration_images)
    if distinct < needed:
        raise UserError(
            f"export.calibration_images: {distinct} different images among {count}; "
            f"int8 needs at least {needed}"
        )
    return crops
