"""Calibration: distinct training images, evenly picked, as the network sees them."""

import dataclasses
import types

import ml_collections
import numpy as np
import pytest

from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.errors import DataError, UserError
from bas_tf.export.litert import calibration


class Source:
    """Training photos of one colour each."""

    class_names = ("one",)

    def __init__(self, values):
        self._values = values

    def records(self, split):
        assert split == "train"
        images = [
            DrawnImage(lambda v=v: np.full([10, 10, 3], v, np.uint8), (10, 10))
            for v in self._values
        ]
        return [Record(image_id=str(i), label=i, image=x) for i, x in enumerate(images)]


def config(calibration_images):
    return ml_collections.ConfigDict(
        {
            "data": {"resize_size": (8, 8), "crop_size": (4, 4)},
            "export": {"calibration_images": calibration_images},
        }
    )


def test_images_are_picked_evenly_from_first_to_last():
    crops = calibration.calibration_crops(config(16), Source(range(31)))
    assert crops.shape == (16, 4, 4, 3) and crops.dtype == np.uint8
    assert crops[:, 0, 0, 0].tolist() == list(range(0, 31, 2))


def test_all_images_are_taken_when_there_are_few():
    crops = calibration.calibration_crops(config(128), Source(range(110)))
    assert crops[:, 0, 0, 0].tolist() == list(range(110))


def test_unreadable_images_are_left_out_and_told(caplog):
    readable = Source(range(32))

    def records(split):
        *found, last = readable.records(split)
        return [*found, dataclasses.replace(last, image=DrawnImage(refuse, (10, 10)))]

    def refuse():
        raise DataError("31.jpg: not a readable image")

    source = types.SimpleNamespace(records=records)
    crops = calibration.calibration_crops(config(16), source)
    assert crops[:, 0, 0, 0].tolist() == list(range(0, 31, 2))
    assert "without 1 training images that cannot be read: 31.jpg" in caplog.text


@pytest.mark.parametrize(
    ("asked", "values", "distinct", "needed"),
    [
        (40, [7] * 40, 1, 40),
        (40, [*range(15), *[0] * 25], 15, 40),
        (128, range(99), 99, 100),
    ],
)
def test_too_few_different_images_are_refused(asked, values, distinct, needed):
    told = f"calibration_images: {distinct} different .* {len(values)}; .* {needed}$"
    with pytest.raises(UserError, match=told):
        calibration.calibration_crops(config(asked), Source(values))
