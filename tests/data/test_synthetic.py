"""The synthetic source: exact boxes and masks, no class in the background."""

import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from bas_tf.data.drawings.source import SyntheticSource, draw_example
from bas_tf.data.records import DataError
from bas_tf.geometry.boxes import iou_xyxy

_SIZE = (64, 64)
_CHANCE = 1 / 8


def _draw(index, **changes):
    usual = {"seed": 0, "split": "train", "image_size": _SIZE}
    return draw_example(index=index, **(usual | changes))


def _checksum(example):
    content = example.image.tobytes() + example.mask.tobytes() + bytes([example.label])
    return zlib.crc32(content)


def _box_by_hand(mask):
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.fixture(scope="module")
def records():
    return SyntheticSource(image_size=_SIZE, num_images={"val": 600}).records("val")


def test_types_and_shapes():
    example = _draw(0, image_size=(80, 48))
    assert example.image.shape == (48, 80, 3)
    assert example.image.dtype == np.uint8
    assert example.mask.shape == (48, 80)
    assert set(np.unique(example.mask)) == {0, 255}
    assert 0 <= example.label < 8
    assert len(set(SyntheticSource.class_names)) == 8


def test_same_scene_in_this_and_a_fresh_process():
    here = [_checksum(_draw(i)) for i in range(4)]
    assert here == [_checksum(_draw(i)) for i in range(4)]
    script = (
        "from tests.data.test_synthetic import _checksum, _draw;"
        "print([_checksum(_draw(i)) for i in range(4)])"
    )
    command = [sys.executable, "-c", script]
    there = subprocess.run(command, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here)


def test_seed_split_and_index_each_change_the_scene():
    scenes = [_draw(0), _draw(1), _draw(0, seed=1), _draw(0, split="val")]
    assert len({_checksum(scene) for scene in scenes}) == 4


def test_record_agrees_with_the_drawn_example(records):
    for index in (0, 7, 599):
        record, example = records[index], _draw(index, split="val")
        assert record.image_id == f"val/{index:06d}"
        assert record.label == example.label
        np.testing.assert_array_equal(record.load_image(), example.image)
        np.testing.assert_array_equal(record.load_mask(), example.mask)


def test_box_is_the_half_open_bounding_box_of_the_mask(records):
    for record in records[:200]:
        assert record.boxes_original.dtype == np.float32
        assert record.boxes_original.tolist() == [_box_by_hand(record.load_mask())]


def test_labels_are_balanced_in_every_run_of_eight(records):
    labels = np.array([record.label for record in records]).reshape(-1, 8)
    assert (np.sort(labels, axis=1) == np.arange(8)).all()
    assert len(np.unique(labels, axis=0)) > 60  # of 75 runs: the order varies
    source = SyntheticSource(image_size=_SIZE, num_images={"odd": 21})
    counts = np.bincount([r.label for r in source.records("odd")], minlength=8)
    assert counts.sum() == 21
    assert set(counts) == {2, 3}


@pytest.mark.parametrize("image_size", [(64, 64), (150, 50), (48, 96)])
def test_object_covers_5_to_60_percent(image_size):
    source = SyntheticSource(image_size=image_size, num_images={"train": 200})
    masks = [record.load_mask() for record in source.records("train")]
    areas = np.array([np.mean(mask > 0) for mask in masks])
    assert areas.min() >= 0.05
    assert areas.max() <= 0.60
    assert np.ptp(np.log(areas)) > 1  # largest over smallest: more than e


def test_some_objects_are_cut_by_the_border(records):
    boxes = np.concatenate([record.boxes_original for record in records])
    cut = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == 64).any(axis=1)
    assert 0.10 < cut.mean() < 0.16
    sides = np.concatenate([boxes[:, :2] == 0, boxes[:, 2:] == 64], axis=1)
    assert (sides.sum(axis=0) >= 5).all()  # left, top, right and bottom


@pytest.mark.parametrize("image_size", [(64, 64), (96, 48)])
def test_another_size_shows_the_same_scene(image_size):
    width, height = image_size
    small = _draw(3, image_size=image_size)
    large = _draw(3, image_size=(2 * width, 2 * height))
    assert small.label == large.label
    shrunk = cv2.resize(large.mask, image_size, interpolation=cv2.INTER_AREA) >= 128
    union = np.sum(shrunk | (small.mask > 0))
    assert np.sum(shrunk & (small.mask > 0)) / union > 0.93
    difference = np.subtract(
        cv2.resize(large.image, image_size, interpolation=cv2.INTER_AREA),
        small.image,
        dtype=np.float32,
    )
    assert np.abs(difference).mean() < 16  # different scenes: over 50
    other = _draw(4, image_size=image_size).image.astype(np.float32)
    assert np.abs(other - small.image).mean() > 40


def test_hiding_the_object_changes_the_object_and_nothing_else():
    for index in range(40):
        shown, hidden = _draw(index), _draw(index, hide_object=True)
        changed = (shown.image != hidden.image).any(axis=2)
        near = cv2.dilate(shown.mask, np.ones((3, 3), np.uint8)) > 0
        assert not changed[~near].any()
        assert changed[shown.mask > 0].mean() > 0.95
        np.testing.assert_array_equal(shown.mask, hidden.mask)


def test_centred_boxes_find_few_objects(records):
    boxes = np.concatenate([record.boxes_original for record in records])
    best = 0.0
    for width in range(8, 65, 4):
        for height in range(8, 65, 4):
            low = np.array([32 - width / 2, 32 - height / 2])
            shared = np.minimum(boxes[:, 2:], low + [width, height])
            shared = np.prod(
                np.clip(shared - np.maximum(boxes[:, :2], low), 0, None), 1
            )
            union = np.prod(boxes[:, 2:] - boxes[:, :2], 1) + width * height - shared
            best = max(best, np.mean(shared / union > 0.5))
    assert 0.05 < best < 0.35


@pytest.mark.parametrize("overlap", [0.0, 0.3])
def test_several_objects_have_a_box_each_and_overlap_as_asked(overlap):
    source = SyntheticSource(
        image_size=(144, 144), num_images={"val": 40},
        objects_per_image=3, object_overlap=overlap,
    )  # fmt: skip
    for record in source.records("val"):
        boxes, mask = record.boxes_original, record.load_mask()
        assert boxes.shape == (3, 4)
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        assert [*low, *high] == _box_by_hand(mask)
        ious = iou_xyxy(boxes, boxes)[np.triu_indices(3, 1)]
        assert ious.max() <= overlap + 0.04  # boxes of what is seen, in whole pixels
        assert (ious.max() > 0) == (overlap > 0)


def test_each_third_drawing_on_request_shows_no_creature():
    options = {"image_size": _SIZE, "num_images": {"val": 6}}
    source = SyntheticSource(**options, none_every=3)
    plain = SyntheticSource(**options).records("val")
    for i, (record, other) in enumerate(zip(source.records("val"), plain, strict=True)):
        if is_none := i % 3 == 2:
            assert source.class_names[record.label] == "_none"
            assert record.boxes_original is record.load_mask is None
        else:
            assert record.label == other.label
        image = _draw(i, split="val", hide_object=is_none).image
        np.testing.assert_array_equal(record.load_image(), image)


@pytest.mark.parametrize("overlap", [0.0, 0.3])
def test_objects_of_several_classes_have_a_mask_by_class(overlap):
    """Three objects of two classes; geometry and scenery are those of one class."""
    options = {"image_size": (144, 144), "num_images": {"val": 40},
               "objects_per_image": 3, "object_overlap": overlap}  # fmt: skip
    source = SyntheticSource(**options, classes_per_image=2)
    alike = SyntheticSource(**options).records("val")
    pairs, twice = set(), 0
    for record, other in zip(source.records("val"), alike, strict=True):
        classes, whole = record.load_class_mask(), other.load_mask()
        assert classes.dtype == np.uint8
        assert set(np.unique(classes)) == {0, *(1 + label for label in record.labels)}
        np.testing.assert_array_equal(classes > 0, whole > 0)
        mask = record.load_mask() > 0
        np.testing.assert_array_equal(classes == 1 + record.label, mask)
        assert record.label == other.label
        assert len(record.labels) == 2
        twice += len(record.boxes_original) == 2
        low = record.boxes_original[:, :2].min(axis=0)
        assert [*low] == _box_by_hand(mask)[:2]
        changed = (record.load_image() != other.load_image()).any(axis=2)
        assert changed[classes == 1 + record.other_labels[0]].mean() > 0.3
        assert not changed[cv2.dilate(whole, np.ones((5, 5))) == 0].any()
        pairs.add(record.labels)
    assert len(pairs) > 25  # of 56
    assert 10 < twice < 30  # the label's class is as often the second one's


def _features(image):
    """Coarse pixels and a joint colour histogram of 6 x 6 x 6 bins."""
    pixels = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).ravel() / 255
    bins = np.ravel_multi_index((image // 43).reshape(-1, 3).T, (6, 6, 6))
    return np.concatenate([pixels, np.sqrt(np.bincount(bins, minlength=216) / 64)])


def _ridge_accuracy(*, hide_object):
    """Accuracy on 600 images of one-against-all ridge regression from 1,200."""
    drawn = [
        _draw(index, split=split, hide_object=hide_object)
        for split, count in (("train", 1200), ("test", 600))
        for index in range(count)
    ]
    x = np.stack([_features(example.image) for example in drawn])
    labels = np.array([example.label for example in drawn])
    x = (x - x[:1200].mean(axis=0)) / (x[:1200].std(axis=0) + 1e-3)
    targets = np.eye(8)[labels[:1200]] - _CHANCE
    gram = x[:1200].T @ x[:1200] + 300 * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x[:1200].T @ targets)
    return np.mean((x[1200:] @ weights).argmax(axis=1) == labels[1200:])


@pytest.mark.slow
def test_background_says_nothing_about_the_class_but_the_object_does():
    four_errors = 4 * np.sqrt(_CHANCE * (1 - _CHANCE) / 600)  # 0.054
    assert abs(_ridge_accuracy(hide_object=True) - _CHANCE) < four_errors
    assert _ridge_accuracy(hide_object=False) > _CHANCE + 2 * four_errors


def test_unknown_split_names_the_known_ones():
    source = SyntheticSource(num_images={"train": 8, "val": 8})
    with pytest.raises(DataError, match="'test'.*train, val"):
        source.records("test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (31, 64)}, "31x64.*32"),
        ({"image_size": (97, 32)}, "97x32.*3 times"),
        ({"num_images": {"val": 0}}, "'val' is 0.*at least 1"),
        ({"seed": -1}, "seed is -1"),
        ({"objects_per_image": 0}, "objects_per_image is 0; 1 to 4"),
        ({"object_overlap": 0.5}, "object_overlap is 0.5; 0 to 0.3"),
        ({"classes_per_image": 2}, "classes_per_image is 2; 1 to 1, which is objects"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(DataError, match=message):
        SyntheticSource(**{"num_images": {"train": 8}, **arguments})
