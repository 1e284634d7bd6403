"""Progress through a range, the share where it saturates, who is left out."""

import json

import numpy as np
import pytest

from bas_tf.analysis import activation_curves
from bas_tf.analysis.activation_curves import Responses
from bas_tf.errors import UserError

SHARES = np.array([0.0, 0.5, 1.0, 2.0])


def responses(entropies, activations, backgrounds, known) -> Responses:
    rows = (np.array(v, float) for v in (entropies, activations, backgrounds))
    return Responses(SHARES, *rows, np.array(known))


def test_progress_by_hand():
    # Falls from 2 to 0: (2 - 1) / 2 = 0.5, then all, then half of it is back.
    # Falls from 1 to 0.5, after a rise of 1 = twice the range the other way.
    falling = np.array([[2.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.5, 0.75]])
    np.testing.assert_allclose(
        activation_curves.curve_progress(falling, rises=False),
        [[0, 0.5, 1, 0.5], [0, -2, 1, 0.5]],
    )
    # Rises from 1 by 4: 2 / 4 after the first step.
    np.testing.assert_allclose(
        activation_curves.curve_progress(np.array([[1.0, 3.0, 5.0, 4.0]]), rises=True),
        [[0, 0.5, 1, 0.75]],
    )


def test_flat_curves_have_no_progress():
    flat = [
        [0.0, 0.0, 0.0, 0.0],  # dead class maps
        [7.0, 7.0, 7.0, 7.0],
        [7.0, 7.000001, 7.0, 6.0],  # rounding, and the wrong direction
        [0.0, 1e-9, 0.0, 0.0],  # small but not flat: it starts at nothing
    ]
    progress = activation_curves.curve_progress(np.array(flat), rises=True)
    assert np.isnan(progress[:3]).all()
    np.testing.assert_array_equal(progress[3], [0, 1, 0, 0])


def test_saturation_share_by_hand():
    # 0.95 lies between 0.9 at share 0.5 and 1.0 at share 1: half way, 0.75.
    share = activation_curves.saturation_share(SHARES, np.array([0, 0.9, 1, 1]))
    assert share == pytest.approx(0.75)
    # A mean curve need not reach 1: of 0.8, 95 % are 0.76, 0.36 of 0.4 above 0.4, so
    # 1 + 0.9 x (2 - 1).
    share = activation_curves.saturation_share(SHARES, np.array([0, 0.2, 0.4, 0.8]))
    assert share == pytest.approx(1.9)
    # Straight from the start: 0.95 x 0.5.
    share = activation_curves.saturation_share(SHARES, np.array([0, 1, 0.2, 1]))
    assert share == pytest.approx(0.475)
    assert activation_curves.saturation_share(SHARES, -SHARES) is None


def test_the_summary_by_hand():
    """Two known images, one the network does not know, one with dead scores."""
    summary = activation_curves.summarize(
        responses(
            entropies=[[2, 0, 0, 0], [2, 1, 0, 0], [3, 3, 2, 1], [2, 2, 2, 2]],
            activations=[[0, 5, 10, 10], [0, 10, 10, 5], [0, 1, 2, 4], [0, 0, 0, 0]],
            backgrounds=[[9, 3, 1, 0], [9, 3, 1, 0], [4, 4, 2, 0], [0, 0, 0, 0]],
            known=[True, True, False, True],
        )
    )
    assert summary["num_kept"] == 2
    assert (summary["num_unknown"], summary["num_flat"]) == (1, 1)
    assert summary["shares"] == SHARES.tolist()
    # Raw curves: all four images.
    assert summary["cross_entropy"]["mean"] == [2.25, 1.5, 1.0, 0.75]
    assert summary["activation"]["mean"] == [0, 4, 5.5, 4.75]
    assert summary["activation"]["median"] == [0, 3, 6, 4.5]
    assert summary["activation"]["std"][0] == 0
    # Normalized ones: the first two. CE lost: (1 + 0.5) / 2 at share 0.5, then 1.
    lost = summary["cross_entropy"]["normalized"]
    assert lost["mean"] == [0, 0.75, 1, 1]
    assert lost["std"] == [0, 0.25, 0, 0]
    # Quartiles of 0.5 and 1 lie at a quarter and three quarters between them.
    assert (lost["quartile_1"][1], lost["quartile_3"][1]) == (0.625, 0.875)
    # Mean curves: CE 0.75 + 0.25 t = 0.95 for t = 0.8, at share 0.5 + 0.8 x 0.5.
    saturation = summary["saturation"]
    assert saturation["cross_entropy_95"] == pytest.approx(0.9)
    # Images: 0.95 x 0.5, and 0.5 + 0.9 x 0.5.
    own = saturation["per_image"]["cross_entropy_95"]
    assert own["mean"] == pytest.approx((0.475 + 0.95) / 2)
    assert own["std"] == pytest.approx((0.95 - 0.475) / 2)
    # Activation gained: (0.5 + 1) / 2, 1, (1 + 0.5) / 2: the same mean curve up to 1.
    assert saturation["activation_95"] == pytest.approx(0.9)
    # Background: 6 / 9, 8 / 9, 1; (0.95 - 8 / 9) / (1 / 9) = 0.55 of the way 1 to 2.
    assert saturation["background_activation_95"] == pytest.approx(1.55)
    json.dumps(summary, allow_nan=False)


def test_unknown_images_stay_where_there_is_no_other():
    entropies = [[3, 3, 2, 1], [2, 2, 2, 2]]
    scores = [[0, 1, 2, 4], [0, 0, 0, 0]]
    backgrounds = [[4, 2, 1, 0], [0, 0, 0, 0]]
    summary = activation_curves.summarize(
        responses(entropies, scores, backgrounds, known=[False, True])
    )
    assert (summary["num_kept"], summary["num_unknown"], summary["num_flat"]) == (
        1, 1, 1,
    )  # fmt: skip


def test_nothing_but_flat_curves_is_an_error():
    flat = np.zeros([3, 4])
    with pytest.raises(UserError, match="none of 3 images follow the masked area"):
        activation_curves.summarize(responses(flat, flat, flat, known=[True] * 3))


def test_a_mean_curve_that_never_gets_above_its_start():
    # CE rises by ten times its fall for each image before it falls, at another share.
    summary = activation_curves.summarize(
        responses(
            entropies=[[1, 0, 11, 11], [1, 11, 0, 11]],
            activations=[[0, 1, 2, 3]] * 2,
            backgrounds=[[3, 2, 1, 0]] * 2,
            known=[True, True],
        )
    )
    assert summary["saturation"]["cross_entropy_95"] is None
    assert summary["saturation"]["per_image"]["cross_entropy_95"]["mean"] > 0
