"""Each fault and note of a single record, on records written down here."""

import dataclasses

import cv2
import numpy as np
import pytest

from bas_tf.data.images import DrawnImage, image_file
from bas_tf.data.records import DataError
from bas_tf.jobs import record_check
from bas_tf.jobs.record_check import look_at
from tests.written_source import record


@pytest.mark.parametrize(
    ("box", "kind", "reason"),
    [
        ([9, 0, 5, 5], "box_inverted", "is inverted"),
        ([0, 9, 5, 5], "box_inverted", "is inverted"),
        ([99, 9, 98, 5], "box_inverted", "is inverted"),
        ([5, 0, 5, 5], "box_empty", "is empty"),
        ([0, 5, 5, 5], "box_empty", "is empty"),
        ([-0.5, 0, 5, 5], "box_outside", "reaches outside the 80x60 image"),
        ([0, 0, 80.5, 5], "box_outside", "reaches outside the 80x60 image"),
        ([0, 0, 5, 61], "box_outside", "reaches outside the 80x60 image"),
    ],
)
def test_a_box_that_is_no_box_of_its_image(box, kind, reason):
    (fault,) = look_at(record("a.jpg", [1, 1, 9, 9], box), "train").faults
    assert (fault.kind, fault.split, fault.images) == (kind, "train", ("a.jpg",))
    numbers = ", ".join(map(str, box))
    assert fault.message == f"a.jpg: box [{numbers}] {reason}"


@pytest.mark.parametrize("box", [[0, 0, 80, 60], [-0.001, 0, 80.001, 60.001]])
def test_float32_does_not_carry_a_box_outside(box):
    assert look_at(record("a.jpg", box), "train").faults == []


def test_a_box_of_an_unreadable_image_is_looked_at_by_itself():
    """The box reaches outside too, but nobody knows of what."""

    def load_image():
        raise DataError("a.jpg: no\nimage")

    broken = dataclasses.replace(
        record("a.jpg", [0, 0, 999, 9], [5, 0, 5, 5]),
        image=DrawnImage(load_image, (80, 60)),
    )
    seen = look_at(broken, "train")
    assert [(f.kind, f.message) for f in seen.faults] == [
        ("unreadable_image", "a.jpg: no image"),
        ("box_empty", "a.jpg: box [5, 0, 5, 5] is empty"),
    ]
    assert (seen.size_wh, seen.digest) == (None, None)


@pytest.mark.parametrize(
    ("size_wh", "fault", "note"),
    [
        ((80, 60), [], []),
        ((40, 30), [], ["mask_scaled"]),
        ((160, 120), [], ["mask_scaled"]),
        # 3/4 of 23 is 17.25, a quarter of a pixel next to 17.
        ((23, 17), [], ["mask_scaled"]),
        ((60, 80), ["mask_size"], []),  # turned: 60 * 3/4 is 45
        ((80, 80), ["mask_size"], []),  # a square
        ((80, 57), ["mask_size"], []),  # three rows cut, of 76 columns' worth
    ],
)
def test_a_mask_of_another_size(size_wh, fault, note):
    """Of an image of 80 x 60; evaluation stretches a mask over its image."""
    mask = np.zeros(size_wh[::-1], np.uint8)
    seen = look_at(dataclasses.replace(record("a"), load_mask=lambda: mask), "train")
    assert [f.kind for f in seen.faults] == fault
    assert [n.kind for n in seen.notes] == note
    for finding in seen.faults + seen.notes:
        assert finding.message == (
            f"a: its mask is {size_wh[0]}x{size_wh[1]}, the image 80x60"
        )


@pytest.mark.parametrize(
    ("values", "kinds"),
    [((0, 1), ["mask_values"]), ((1, 128), ["mask_values"]),
     ((0, 0), []), ((0, 128), []), ((1, 255), [])],
)  # fmt: skip
def test_a_mask_whose_object_has_another_value(values, kinds):
    """One that leaves all open, and grey edges around an object, are no faults."""
    mask = np.tile(np.array(values, np.uint8), (60, 40))
    seen = look_at(dataclasses.replace(record("a"), load_mask=lambda: mask), "train")
    assert [fault.kind for fault in seen.faults] == kinds
    assert all("a: its mask has value 1 and no 255" in f.message for f in seen.faults)


def test_more_images_than_are_handed_out_at_a_time_keep_their_order(monkeypatch):
    monkeypatch.setattr(record_check, "_BATCH", 4)
    records = [record(f"{i}", size_wh=(80 + i, 60)) for i in range(10)]
    seen = list(record_check.look_at_all(records, "train"))
    assert [one.size_wh for one in seen] == [(80 + i, 60) for i in range(10)]


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("bits", "is_noted"), [(10, 1), (12, 1), (14, 1), (16, 0)])
def test_fewer_bits_than_the_sixteen_they_are_stored_in(
    tmp_path, suffix, channels, bits, is_noted
):
    path = tmp_path / f"photo.{suffix}"
    grey = np.linspace(0, 2**bits - 1, 32 * 48).astype(np.uint16).reshape(32, 48)
    cv2.imwrite(str(path), np.dstack([grey] * channels))
    seen = look_at(dataclasses.replace(record("a"), image=image_file(path)), "val")
    assert [note.kind for note in seen.notes] == ["dark_16_bits"] * is_noted
    assert all(f"channel {bits} are used" in note.message for note in seen.notes)
    assert seen.faults == []


def test_a_dark_photo_of_eight_bits_is_no_matter(tmp_path):
    path = tmp_path / "night.png"
    cv2.imwrite(str(path), np.full([32, 48, 3], 9, np.uint8))
    seen = look_at(dataclasses.replace(record("a"), image=image_file(path)), "val")
    assert seen.notes == []
