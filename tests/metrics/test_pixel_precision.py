"""PxAP and the peak pixel IoU, by hand."""

import numpy as np
import pytest

from bas_tf.metrics import pixel_precision
from bas_tf.metrics.pixel_precision import EDGES, NUM_BINS, px_ap, score_histograms


def histograms(scores, is_object, is_ignored=None):
    scores, is_object = np.array(scores, np.float64), np.array(is_object, bool)
    if is_ignored is None:
        is_ignored = np.zeros(scores.shape, bool)
    return score_histograms(scores, is_object, np.array(is_ignored, bool))


def test_bins_are_numpys(rng):
    """Scores on the edges, one rounding off them, and anywhere between."""
    edges = EDGES[:1001]
    scores = np.concatenate(
        [
            edges,
            np.nextafter(edges, 2)[:-1],
            np.nextafter(edges, -1)[1:],
            rng.random(999),
        ]
    )
    ours = histograms(scores, np.ones(len(scores)))
    np.testing.assert_array_equal(ours[0], np.histogram(scores, bins=EDGES)[0])
    assert not ours[1].any()


def test_by_hand():
    # Object 1.0 and 0.25, background 0.5 and 0. From the top: precision 1 for the
    # first half of the recall, 2 / 3 for the second.
    found = histograms([[0.0, 0.25], [0.5, 1.0]], [[0, 1], [0, 1]])
    assert [np.flatnonzero(row).tolist() for row in found] == [[250, 1000], [0, 500]]
    assert px_ap(found) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    ious = pixel_precision.pixel_ious(found)
    assert ious.shape == (1000,)
    # All: 2 of 4; without the 0: 2 of 3; 0.5 and 1: 1 of 3; 1 alone: 1 of 2.
    assert ious[[0, 1, 250, 251, 500, 501, 999]].tolist() == [
        2 / 4, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2,
    ]  # fmt: skip
    precision, recall = pixel_precision.precision_and_recall(found)
    assert precision[[0, 1, 251, 501]].tolist() == [2 / 4, 2 / 3, 1 / 2, 1.0]
    assert recall[[0, 1, 251, 501]].tolist() == [1.0, 1.0, 1 / 2, 1 / 2]


def test_ignored_pixels_do_not_count():
    plain = histograms([0.9, 0.1, 0.4], [1, 0, 1])
    for is_object in (0, 1):
        found = histograms(
            [0.9, 0.1, 0.4, 0.7], [1, 0, 1, is_object], is_ignored=[0, 0, 0, 1]
        )
        np.testing.assert_array_equal(found, plain)


def test_a_map_of_zeros_has_the_precision_of_everything():
    found = histograms(np.zeros(8), np.arange(8) < 3)
    assert px_ap(found) == 3 / 8
    # Only t = 0 predicts anything.
    ious = pixel_precision.pixel_ious(found)
    assert ious[0] == 3 / 8 and not ious[1:].any()


def test_nothing_to_find_gives_zero():
    found = histograms([0.2, 1.0], [0, 0])
    assert px_ap(found) == 0.0
    assert not pixel_precision.pixel_ious(found).any()


def test_images_are_pooled_and_many_are_computed_at_once():
    # One image perfect, one inverted. Pooled from the top: 1 of 2 right at 1.0 (recall
    # 1/2), 2 of 4 at 0.
    perfect, inverted = histograms([1, 0], [1, 0]), histograms([0, 1], [1, 0])
    assert px_ap(perfect + inverted) == 0.5 * 1 / 2 + 0.5 * 2 / 4
    both = px_ap(np.stack([perfect, inverted]))
    assert both.tolist() == [1.0, 1 / 2]
    # Means over images are as good as sums.
    assert px_ap((perfect + inverted) / 2) == px_ap(perfect + inverted)


def test_the_last_bin_is_the_empty_start_of_the_curve():
    assert NUM_BINS == 1002
    np.testing.assert_allclose(EDGES[-4:], [0.999, 1, 2, 3])
    assert not histograms(np.ones(3), np.ones(3))[:, -1].any()
