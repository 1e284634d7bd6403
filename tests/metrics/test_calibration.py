"""Reliability by hand, and against a second implementation."""

import numpy as np
import pytest

from bas_tf.metrics.calibration import reliability


def test_bins_and_error_by_hand():
    probabilities = np.array([0.0, 0.05, 0.1, 0.15, 0.95, 1.0])
    found = reliability(probabilities, np.array([0, 1, 0, 1, 1, 0]))
    # An edge belongs to the bin below it, and 0 to the first.
    np.testing.assert_array_equal(found.counts, [3, 1, 0, 0, 0, 0, 0, 0, 0, 2])
    np.testing.assert_allclose(
        found.mean_probabilities, [0.05, 0.15, *[np.nan] * 7, 0.975]
    )
    np.testing.assert_allclose(found.accuracies, [1 / 3, 1, *[np.nan] * 7, 1 / 2])
    # 3/6 |1/3 - 0.05| + 1/6 |1 - 0.15| + 2/6 |0.5 - 0.975|
    expected = (1 - 0.15 + 0.85 + 0.95) / 6
    assert found.expected_calibration_error == pytest.approx(expected)
    assert found.num_without_score == 0


def test_scores_that_hold_what_they_say_have_no_error():
    found = reliability(np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0]))
    assert found.expected_calibration_error == 0


@pytest.mark.parametrize("num_bins", [1, 7, 10])
def test_a_second_implementation_agrees(rng, num_bins):
    probabilities = rng.random(200).astype(np.float32)
    is_right = rng.random(200) < probabilities**2
    found = reliability(probabilities, is_right, num_bins=num_bins)
    expected = 0.0
    for b in range(num_bins):
        inside = [
            (float(p), bool(right))
            for p, right in zip(probabilities, is_right, strict=True)
            if b / num_bins < p <= (b + 1) / num_bins
        ]
        assert found.counts[b] == len(inside)
        gap = sum(p for p, _ in inside) - sum(right for _, right in inside)
        expected += abs(gap) / 200
    assert found.counts.sum() == 200
    assert found.expected_calibration_error == pytest.approx(expected)


def test_images_without_a_score_are_counted_and_left_out():
    found = reliability(np.array([np.nan, 0.5]), np.array([False, True]))
    assert (found.counts.sum(), found.num_without_score) == (1, 1)
    assert found.expected_calibration_error == 0.5
    empty = reliability(np.array([np.nan]), np.array([False]))
    assert np.isnan(empty.expected_calibration_error)


def test_rounding_is_forgiven_and_logits_are_not():
    found = reliability(np.array([1 + 1e-7, -1e-9]), np.array([True, False]))
    assert found.counts[[0, 9]].tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"span 0\.5\.\.3\.2, expected 0\.\.1"):
        reliability(np.array([0.5, 3.2]), np.array([True, False]))
