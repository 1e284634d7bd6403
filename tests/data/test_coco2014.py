"""COCO 2014 in its real layout."""

import json
import logging

import numpy as np
import pytest

from bas_tf.data.sources import load_source
from bas_tf.data.sources.coco2014 import Coco2014Source
from bas_tf.errors import DataError
from tests.data import tiny_class_sets as tiny

PERSON, CAR, TOOTHBRUSH = range(3)


def test_labels_of_all_annotations_crowds_too(tmp_path, caplog):
    """The first annotation's class is the label; a photo without any is left out."""
    source = load_source("coco2014", root=str(tiny.make_coco(tmp_path)))
    assert source.class_names == ("person", "car", "toothbrush")
    with caplog.at_level(logging.INFO, logger="absl"):
        records = source.records("val")
    assert "left out 1 of 4 photos" in caplog.text
    labels = [(CAR, PERSON, TOOTHBRUSH), (PERSON,), (TOOTHBRUSH,)]
    assert [record.labels for record in records] == labels
    assert records[0].image_id == "val2014/COCO_val2014_000000000010.jpg"
    assert records[0].load_image().shape == (40, 60, 3)
    np.testing.assert_array_equal(records[0].boxes_original, [[12, 12, 20, 20]])
    np.testing.assert_array_equal(records[2].boxes_original, [[35, 5, 45, 15]])
    assert len(source.records("train")) == 3


def test_small_objects_hide_large_ones_and_both_a_crowd(tmp_path):
    pytest.importorskip("pycocotools")
    first, second, _ = Coco2014Source(root=str(tiny.make_coco(tmp_path))).records("val")
    expected = np.zeros([40, 60], np.uint8)
    expected[:, :30] = 255
    expected[4:36, 10:40] = PERSON + 1
    expected[12:20, 12:20] = CAR + 1
    np.testing.assert_array_equal(first.load_class_mask(), expected)
    is_car = first.load_mask() == 255
    np.testing.assert_array_equal(is_car, expected == CAR + 1)
    assert (second.load_class_mask() == PERSON + 1).sum() == 9 * 9 + 10 * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 2}, r"annotations\[0\]: category_id 2 is not among them"),
        ({"segmentation": []}, r"annotations\[0\]: segmentation is neither polygons"),
        ({"segmentation": [[1, 2, 3, 4]]}, "a polygon has three points or more"),
        ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "segmentation is neither"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "segmentation is neither"),
        ({"segmentation": {"counts": [0, 9]}}, r"lengths of 60x40 pixels \(9 pixels"),
        ({"segmentation": {"counts": "a1b"}}, "segmentation is neither"),
        ({"bbox": [1, 2, 3]}, r"annotations\[0\]: bbox is not four numbers"),
    ],
)
def test_a_fault_names_its_annotation(tmp_path, change, message):
    path = tiny.make_coco(tmp_path) / "annotations/instances_val2014.json"
    content = json.loads(path.read_text())
    content["annotations"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message) as error:
        Coco2014Source(root=str(tmp_path)).records("val")[0].load_class_mask()
    assert str(path) in str(error.value)
