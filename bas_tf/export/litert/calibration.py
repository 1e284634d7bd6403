"""Images that an int8 conversion measures its ranges on."""

from collections.abc import Sequence

import numpy as np
from absl import logging

from bas_tf.data import bad_images, pipeline
from bas_tf.data.records import Record
from bas_tf.errors import UserError

FEWEST = 100  # different images, where the config asks for as many


def crops_of(loaded) -> np.ndarray:
    """`calibration_crops` of a workdir's `experiment.Experiment`."""
    from bas_tf.jobs import experiment

    source = experiment.open_source(loaded.config, loaded.class_names)
    return calibration_crops(loaded.config, source)


def calibration_crops(config, source) -> np.ndarray:
    """Distinct training images, evenly picked, as the network sees them.

    Where one cannot be read all such images are left out, and their number is logged.

    Returns:
      uint8 [n, crop_h, crop_w, 3].

    Raises:
      UserError: none can be read, or too few different images to measure ranges on.
    """
    records, wanted = source.records("train"), config.export.calibration_images
    picked, faults = bad_images.readable_records(_evenly(records, wanted))
    if faults:
        readable, faults = bad_images.readable_records(records)
        if not readable:
            raise UserError(f"no training image can be read; {faults[0]}")
        picked = _evenly(readable, wanted)
        logging.warning(
            "int8 is measured without %d training images that cannot be read: %s%s",
            len(faults), faults[0], ", …" * (len(faults) > 1),
        )  # fmt: skip
    images = pipeline.ResizedImages(
        picked, resize_size_wh=tuple(config.data.resize_size), keep=False
    )
    crops = pipeline.centre_crops(
        images, range(len(picked)), crop_size_wh=tuple(config.data.crop_size)
    )
    distinct, needed = len({crop.tobytes() for crop in crops}), min(FEWEST, wanted)
    if distinct < needed:
        raise UserError(
            f"export.calibration_images: {distinct} different images among "
            f"{len(picked)}; int8 needs at least {needed}"
        )
    return crops


def _evenly(records: Sequence[Record], count: int) -> list[Record]:
    places = np.linspace(0, len(records) - 1, min(count, len(records))).astype(int)
    return [records[i] for i in places]
