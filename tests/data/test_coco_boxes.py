"""COCO boxes: corners from x, y, width, height; a wrong entry is named."""

import json

import numpy as np
import pytest

from bas_tf.data.annotations.coco_boxes import read_coco_boxes
from bas_tf.errors import DataError

IMAGES = [{"id": 7, "file_name": "a.jpg"}, {"id": "x", "file_name": "b/c.png"}]


def read(path):
    """{file name: its boxes}."""
    return {entry.names[0]: entry.boxes for entry in read_coco_boxes(path)}


def write(tmp_path, annotations, images=IMAGES):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_corners_and_several_boxes(tmp_path):
    """10 + 30 = 40, 20.5 + 4 = 24.5."""
    path = write(
        tmp_path,
        [
            {"image_id": 7, "bbox": [10, 20.5, 30, 4]},
            {"image_id": "x", "bbox": [0, 0, 1, 1], "iscrowd": 0},
            {"image_id": 7, "bbox": [1, 2, 3, 4], "category_id": 3},
        ],
    )
    boxes = read(path)
    assert list(boxes) == ["a.jpg", "b/c.png"]
    np.testing.assert_array_equal(boxes["a.jpg"], [[10, 20.5, 40, 24.5], [1, 2, 4, 6]])
    np.testing.assert_array_equal(boxes["b/c.png"], [[0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("bbox", "corners"),
    [
        ([1, 2, 0, 4], [1, 2, 1, 6]),  # 1 + 0 = 1: no width
        ([1, 2, 3, 0], [1, 2, 4, 2]),
        ([1, 2, -3, 4], [1, 2, -2, 6]),  # 1 - 3 = -2
        ([1, 2, 3, -0.5], [1, 2, 4, 1.5]),
        ([100, 2, 1e-9, 4], [100, 2, 100, 6]),  # of 1e-9 float32 keeps nothing
        ([100, 2, -1e-9, 4], [100, 2, 100, 6]),
    ],
)
def test_a_box_without_area_stays_one(tmp_path, bbox, corners):
    path = write(tmp_path, [{"image_id": 7, "bbox": bbox}])
    np.testing.assert_array_equal(read(path)["a.jpg"], [corners])


def test_crowds_are_left_out(tmp_path):
    crowd = {"image_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 1}
    assert read(write(tmp_path, [crowd])) == {}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"bbox": [1, 2, 3, 4]}, r"annotations\[0\]: no 'image_id'"),
        ({"image_id": 8, "bbox": [1, 2, 3, 4]}, "image_id 8 is not among the images"),
        ({"image_id": [], "bbox": [1, 2, 3, 4]}, r"\[0\]: no 'image_id' that is a"),
        ({"image_id": 7}, r"annotations\[0\]: bbox is not four numbers"),
        ({"image_id": 7, "bbox": [1, 2, 3]}, "bbox is not four numbers"),
        ({"image_id": 7, "bbox": [1, 2, 3, "4"]}, "bbox is not four numbers"),
        ({"image_id": 7, "bbox": [1, 2, 3, True]}, "bbox is not four numbers"),
        ({"image_id": 7, "bbox": [1, 2, 3, float("nan")]}, "bbox is not four numbers"),
        ({"image_id": 7, "bbox": [1, 2, 3, 10**400]}, "bbox is not four numbers"),
        (None, r"annotations\[0\]: no 'image_id'"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, annotation, message):
    with pytest.raises(DataError, match=message):
        read_coco_boxes(write(tmp_path, [annotation]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"id": 7, "file_name": "again.jpg"}, r"images\[2\]: id 7 is there twice"),
        ({"id": 9}, r"images\[2\]: no 'file_name'"),
        ({"id": 9, "file_name": 3}, r"images\[2\]: file_name is no text"),
        (["id"], r"images\[2\]: no 'id'"),
    ],
)
def test_a_wrong_image_is_named(tmp_path, image, message):
    with pytest.raises(DataError, match=message):
        read_coco_boxes(write(tmp_path, [], images=[*IMAGES, image]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', r"boxes.json: not valid JSON \(.*line 1 column 13"),
        ("", "boxes.json: not valid JSON"),
        ("[" * 100_000, "boxes.json: not valid JSON"),
        ("[]", "boxes.json: has no list 'images'"),
        ('{"images": []}', "boxes.json: has no list 'annotations'"),
        ('{"images": {}, "annotations": []}', "has no list 'images'"),
    ],
)
def test_another_file_is_named(tmp_path, text, message):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_coco_boxes(path)


def test_categories_without_names_are_told_apart(tmp_path):
    annotations = [
        {"image_id": 7, "category_id": kind, "bbox": [0, 0, 4, 4]} for kind in (1, 2)
    ]
    (entry,) = read_coco_boxes(write(tmp_path, annotations))
    assert entry.categories == ("category 1", "category 2")
