"""True boxes and masks in the crop."""

import dataclasses

import numpy as np

from bas_tf.data.sources.folder import FolderSource
from bas_tf.evaluators import ground_truth
from tests.evaluators.conftest import SIZE


def test_images_without_boxes_are_left_out(split):
    records = [*split.records, dataclasses.replace(split.records[0])]
    records[1] = dataclasses.replace(records[1], boxes_original=np.empty([0, 4]))
    truth = ground_truth.load_ground_truth(records, **SIZE)
    np.testing.assert_array_equal(truth.images, [0, 2, 4, 5])
    np.testing.assert_array_equal(truth.boxes[0], [[4, 4, 14, 14]])
    np.testing.assert_array_equal(truth.boxes[2], [[1, 1, 3, 3], [0, 0, 32, 32]])


def test_boxes_of_real_files_go_through_resize_and_crop(photo_folder):
    records = FolderSource(root=str(photo_folder)).records("val")
    truth = ground_truth.load_ground_truth(
        records, resize_size_wh=(40, 40), crop_size_wh=(32, 32)
    )
    # 80 x 60 -> 40 x 40: x / 2, y / 1.5; then 4 off. (10, 20, 30, 40) ->
    # (5, 13.3, 15, 26.7) -> (1, 9.3, 11, 22.7)
    expected = [[1, 20 / 1.5 - 4, 11, 40 / 1.5 - 4]]
    np.testing.assert_allclose(truth.boxes[0], expected, rtol=1e-6)
    assert len(truth.boxes) == 4


def test_masks_come_with_their_position(split):
    masks = list(
        ground_truth.crop_masks(
            split.records, resize_size_wh=(32, 32), crop_size_wh=(24, 24)
        )
    )
    assert [position for position, _ in masks] == [0]
    expected = np.zeros([24, 24], np.uint8)
    expected[0:10, 0:10] = 255  # the square from 4 to 14, less a margin of 4
    np.testing.assert_array_equal(masks[0][1], expected)


def test_empty_and_inverted_boxes_are_left_out_and_counted(split):
    records = list(split.records)
    boxes = {0: [[4, 4, 4, 14], [4, 4, 14, 14]], 1: [[9, 3, 3, 8]], 2: [[1, 5, 8, 5]]}
    for i, rows in boxes.items():
        records[i] = dataclasses.replace(
            records[i], boxes_original=np.array(rows, np.float32)
        )
    for load in (ground_truth.load_ground_truth, ground_truth.load_resized_truth):
        truth = load(records, **SIZE)
        assert truth.num_empty_boxes == 3
        np.testing.assert_array_equal(truth.images, [0, 4])
        np.testing.assert_array_equal(truth.boxes[0], [[4, 4, 14, 14]])


def test_boxes_of_real_files_go_through_a_resize_without_a_crop(photo_folder):
    records = FolderSource(root=str(photo_folder)).records("val")
    truth = ground_truth.load_resized_truth(records, **SIZE)
    # 80 x 60 -> 32 x 32: (10, 20, 30, 40) -> (4, 10.67, 12, 21.33), cut down.
    np.testing.assert_array_equal(truth.boxes[0], [[4, 10, 12, 21]])
