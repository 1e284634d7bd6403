"""A box's confidence by hand."""

import numpy as np
import pytest

from bas_tf.metrics.confidence import auroc, confidence

SCORES = np.array([0.1, 0.8])


def steps(*heights: float) -> np.ndarray:
    """[128, 128] nested squares of 96, 64 and 32 pixels' side, of these heights."""
    score_map = np.zeros([16, 16])
    for side, height in zip((12, 8, 4), heights, strict=True):
        inner = slice(8 - side // 2, 8 + side // 2)
        score_map[inner, inner] = height
    return np.kron(score_map, np.ones([8, 8]))  # where an edge's width is small


def test_each_cut_counts_by_its_overlap_with_the_box():
    """Cuts at 0.375, 0.25, 0.125; 0.625, 0.75, 0.875 around the square of 64."""
    found = confidence(SCORES, steps(0.3, 0.7, 1.0), score_threshold=0.5)
    expected = (1 + 2 * (64 / 96) ** 2 + 1 + 2 * (32 / 64) ** 2) / 6
    assert found == pytest.approx(0.8 * expected, abs=0.02)


@pytest.mark.parametrize("score_map", [np.ones([4, 4]), np.full([4, 4], np.nan)])
def test_a_map_without_an_object_has_none(score_map):
    assert confidence(SCORES, score_map, score_threshold=0.5) == 0


def test_a_file_that_does_not_classify_has_that_of_its_map():
    score_map = steps(0.3, 0.7, 1.0)
    of_map = confidence(np.ones(1), score_map, score_threshold=0.5)
    assert confidence(np.empty(0), score_map, score_threshold=0.5) == of_map


def test_auroc_counts_pairs_and_half_of_ties(rng):
    positive, negative = rng.integers(0, 5, 30) / 4, rng.integers(0, 4, 20) / 4
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert auroc(positive, negative) == pytest.approx(np.mean(pairs))
