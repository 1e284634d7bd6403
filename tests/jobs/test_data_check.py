"""Each kind of fault and note, on sources whose records are written down here."""

import dataclasses
import json

import numpy as np
import pytest

from bas_tf.data.images import DrawnImage
from bas_tf.data.records import DataError, Record
from bas_tf.jobs import data_check
from bas_tf.report.data_table import format_data
from tests.written_source import HEIGHT, WIDTH, WrittenSource, record


def check(*train: Record, **splits) -> data_check.Report:
    """The report on a source; it can be printed and written."""
    source = WrittenSource({"train": list(train), **splits})
    report = data_check.check_source(source)
    document = report.document()
    text = format_data(json.loads(json.dumps(document, allow_nan=False)))
    for finding in report.faults + report.notes:
        assert finding.message in text
    return report


def kinds(findings) -> list[str]:
    return [finding.kind for finding in findings]


def test_shares_instead_of_pixels_are_told_once_for_the_split():
    found = check(record("a", [0, 0.1, 0.5, 1]), record("b", [0.2, 0.2, 1, 0.4])).faults
    assert kinds(found) == ["box_frame"]
    assert found[0].message.startswith("train: no coordinate of its 2 boxes is above 1")


@pytest.mark.parametrize(
    "records",
    [
        # A single coordinate above 1 shows pixels.
        [record("a", [0, 0, 1, 1]), record("b", [0, 0, 1, 2])],
        # The whole of an image of one pixel.
        [record("a", [0, 0, 1, 1], size_wh=(1, 1))],
    ],
)
def test_small_boxes_in_pixels_are_no_shares(records):
    assert check(*records).faults == []


def test_boxes_without_area_say_nothing_of_the_frame():
    """Zeros, as some mark what was not found, are no shares; inverted corners that
    would fit turned are not of a turned photo. Each is reported for itself."""
    zeros = [record(f"{i}", [0, 0, 0, 0], grey=i) for i in range(3)]
    inverted = [record(f"{i}", [50, 70, 0, 0], grey=i) for i in range(3)]
    assert kinds(check(*zeros).faults) == ["box_empty"] * 3
    assert kinds(check(*inverted).faults) == ["box_inverted"] * 3
    shares = record("a", [0, 0.1, 0.5, 1], [0, 0, 0, 0], [9, 9, 2, 2])
    faults = check(shares).faults
    assert kinds(faults) == ["box_empty", "box_inverted", "box_frame"]
    assert "no coordinate of its 1 boxes is above 1" in faults[-1].message


# In an image of 80 x 60; swapped it would be 60 x 80.
FITS_TURNED, FITS_NEITHER = [0, 0, 50, 70], [0, 0, 81, 5]


@pytest.mark.parametrize(
    ("boxes", "is_told"),
    [
        ([FITS_TURNED] * 3, True),
        ([FITS_TURNED] * 2, False),  # too few to say anything
        ([FITS_TURNED] * 3 + [FITS_NEITHER] * 2, True),  # three of five
        ([FITS_TURNED] * 3 + [FITS_NEITHER] * 3, False),  # half is not most
        # Most photos of a set are not turned; they do not hide those that are.
        ([FITS_TURNED] * 3 + [[0, 0, 9, 9]] * 9, True),
    ],
)
def test_boxes_of_photos_that_were_not_turned(boxes, is_told):
    report = check(*(record(f"{i}", box, grey=i) for i, box in enumerate(boxes)))
    told = [f.message for f in report.faults if f.kind == "box_frame"]
    outside = sum(box != [0, 0, 9, 9] for box in boxes)
    assert kinds(report.faults).count("box_outside") == outside
    if is_told:
        (line,) = told
        assert line.startswith(f"train: 3 of the {outside} boxes that reach outside")
    else:
        assert told == []


def test_images_without_boxes_are_noted_where_others_have_some():
    without = record("b", grey=1)
    empty = dataclasses.replace(
        record("c", grey=2), boxes_original=np.zeros([0, 4], np.float32)
    )
    report = check(record("a", [0, 0, 9, 9], [2, 2, 9, 9], grey=0), without, empty)
    assert report.faults == []
    assert [n.images for n in report.notes] == [("b",), ("c",)]
    train = report.splits["train"]
    assert (train["boxes"], train["images_with_boxes"]) == (2, 1)
    assert train["images_without_boxes"] == 2
    # A split of which no image has a box is as the method trains: nothing to note.
    assert check(without, empty).notes == []


def test_masks_are_counted_and_unreadable_images_have_no_size():
    mask = np.zeros([HEIGHT, WIDTH], np.uint8)
    masked = dataclasses.replace(record("a"), load_mask=lambda: mask)

    def draw():
        raise DataError("b: no image")

    broken = dataclasses.replace(record("b"), image=DrawnImage(draw, (WIDTH, HEIGHT)))
    assert check(masked).splits["train"]["images_with_mask"] == 1
    train = check(broken).splits["train"]
    assert (train["images_with_mask"], train["unreadable_images"]) == (0, 1)
    assert train["width"] is None


def test_copies_across_splits_are_a_fault_and_within_one_a_note():
    report = check(
        record("a", grey=1), record("b", grey=1), record("c", grey=2),
        val=[record("d", grey=1), record("e", grey=3), record("f", grey=3)],
    )  # fmt: skip
    assert [(f.kind, f.images, f.message) for f in report.faults] == [
        (
            "copies_across_splits",
            ("a", "b", "d"),
            "a of train, b of train, d of val: the same pixels",
        )
    ]
    assert [(n.kind, n.split, n.images) for n in report.notes] == [
        ("copies_within_split", "train", ("a", "b")),
        ("copies_within_split", "val", ("e", "f")),
    ]


def test_a_large_group_of_copies_is_one_note_of_four_names():
    names = "abcdefg"
    (note,) = check(*(record(name, grey=0) for name in names)).notes
    assert note.images == tuple(names)
    assert note.message == (
        "a of train, b of train, c of train, d of train, 3 more: the same pixels"
    )


def test_equal_bytes_of_another_shape_are_no_copy():
    """80 x 60 and 60 x 80 have 14400 equal bytes."""
    turned = record("b", grey=7, size_wh=(HEIGHT, WIDTH))
    assert check(record("a", grey=7), turned).notes == []


def test_sizes_by_hand():
    """Widths 10, 20, 80 and 31: the middle two of four average to 25.5."""
    report = check(
        *(
            record(f"{w}", grey=w, size_wh=(w, h))
            for w, h in [(10, 9), (80, 5), (20, 7), (31, 7)]
        )
    )
    train = report.splits["train"]
    assert train["width"] == {"min": 10, "median": 25.5, "max": 80}
    assert train["height"] == {"min": 5, "median": 7, "max": 9}
    assert "10/25.5/80" in format_data(report.document())


def test_a_split_that_the_source_claims_and_refuses_is_a_fault():
    source = WrittenSource({"train": [record("a")]}, splits=("train", "val"))
    report = data_check.check_source(source)
    assert [(f.kind, f.split) for f in report.faults] == [("split_refused", "val")]
    assert report.absent_splits == {"test": "no split 'test'"}


def test_a_split_under_another_name_is_read():
    """As tensorflow-datasets' "validation" answers to val."""
    source = WrittenSource(
        {"train": [record("a")], "val": [record("b")]}, splits=("train", "validation")
    )
    assert list(data_check.check_source(source).splits) == ["train", "val"]


def test_a_source_with_no_known_split_is_a_fault():
    report = data_check.check_source(WrittenSource({}, splits=("unlabelled",)))
    assert kinds(report.faults) == ["no_split"]
    assert format_data(report.document()).endswith("1 fault")


def test_a_photo_without_an_object_lacks_no_box():
    empty = dataclasses.replace(record("b"), label=1)
    photos = {"train": [record("a", [0, 0, 9, 9]), empty]}
    report = data_check.check_source(WrittenSource(photos, ("cat", "_none")))
    assert report.splits["train"]["images_per_class"] == {"cat": 1, "_none": 1}
    assert report.faults == report.notes == []
