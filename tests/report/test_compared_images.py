"""Compared images: which are shown, and that tiles keep their boxes in place."""

import numpy as np
import pytest

from bas_tf.report import compared_images, pictures


def test_the_spread_of_boxes_is_best_minus_worst():
    ious = np.array([[0.5, np.nan, 0.9], [0.25, np.nan, 0.9], [1.0, np.nan, 0.9]])
    spreads = compared_images.iou_spreads(ious)
    np.testing.assert_array_equal(spreads, [0.75, np.nan, 0.0])


def test_the_spread_of_maps_is_the_mean_over_pixels_of_the_stretched_maps():
    left = np.array([[[2.0, 0.0], [2.0, 0.0]]] * 2)  # stretched: 1 0, 1 0
    other = np.array([[[0.0, 0.1], [0.1, 0.1]], [[5.0, 1.0], [5.0, 1.0]]])
    # Stretched, the first is 0 1, 1 1: three pixels of four differ by 1.
    spreads = compared_images.map_spreads([left, other])
    np.testing.assert_allclose(spreads, [0.75, 0.0], atol=1e-6)


def test_maps_of_other_sizes_are_compared_at_the_firsts():
    ramp = np.tile(np.arange(4.0), (4, 1))
    maps = [ramp[None], np.tile([0.0, 1.0], (8, 1))[None]]
    # 8 x 2 to 4 x 4, half-pixel centres: 0, 0.25, 0.75, 1 against 0, 1/3, 2/3, 1.
    expected = np.mean([0, 1 / 3 - 0.25, 0.75 - 2 / 3, 0])
    np.testing.assert_allclose(compared_images.map_spreads(maps), [expected], atol=1e-6)


def test_disagreement_comes_first_and_the_rest_is_spread():
    spreads = np.zeros(20)
    spreads[[3, 17, 9]] = 0.2, 0.9, 0.5
    spreads[0] = np.nan
    most, others = compared_images.choose_images(spreads, count=4)
    assert most.tolist() == [17, 9]
    # Of 18 others the ones at (2 j + 1) * 18 // 4: 4 and 13 of 0..8, 10..16, 18, 19.
    assert others.tolist() == [4, 14]


@pytest.mark.parametrize("n", [0, 1, 2, 5, 24])
def test_no_more_images_than_there_are_and_none_twice(n):
    most, others = compared_images.choose_images(np.linspace(0.1, 1, n), count=24)
    assert sorted([*most, *others]) == list(range(n))
    assert len(most) == (n + 1) // 2


@pytest.mark.parametrize(
    ("spreads", "count", "chosen"),
    [
        ([0.1, 0.5, 0.2], 1, ([1], [])),
        ([0.0] * 10, 2, ([], [2, 7])),  # runs that agree everywhere
    ],
)
def test_one_image_and_none_that_differs(spreads, count, chosen):
    found = compared_images.choose_images(np.array(spreads), count=count)
    assert tuple(each.tolist() for each in found) == chosen


def test_a_tile_scales_photo_and_boxes_alike():
    image = np.full([56, 112, 3], 90, np.uint8)
    drawn = compared_images.tile(
        image, true_boxes=np.empty([0, 4]), box=np.array([14.0, 7.0, 28.0, 21.0])
    )
    assert drawn.shape == (224, 448, 3)  # four times as large
    rows, columns = np.nonzero((drawn == pictures.PREDICTED_COLOR).all(axis=2))
    assert (columns.min(), rows.min()) == (4 * 14, 4 * 7)
    assert (columns.max() + 1, rows.max() + 1) == (4 * 28, 4 * 21)


def test_a_photo_alone_has_its_true_boxes():
    image = np.full([224, 224, 3], 90, np.uint8)
    drawn = compared_images.tile(image, true_boxes=np.array([[20.0, 30, 200, 210]]))
    rows, columns = np.nonzero((drawn == pictures.TRUE_COLOR).all(axis=2))
    assert (columns.min(), rows.min()) == (20, 30)
    assert (drawn[100, 100] == 90).all()
