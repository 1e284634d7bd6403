"""The handbook's figures are those that `make docs` draws, and show what is said."""

import io

import numpy as np
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.geometry import components
from docs import drawings, figures, loss_pulls, map_to_box

TERMS = {
    "cls": names.CLASSIFICATION_LOSS,
    "frg": names.FOREGROUND_REGION_GUIDANCE_LOSS,
    "area": names.AREA_CONSTRAINT_LOSS,
    "bas": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
}


@pytest.fixture(scope="module")
def pulls():
    return loss_pulls.pulls(drawings.example(loss_pulls.INDEX))


def at(pulls, name, share):
    """A term of the loss where the map has this share of the object's area."""
    return np.interp(share, pulls.shares, pulls.terms[TERMS[name]])


@pytest.mark.parametrize("name", figures.figures())
def test_the_stored_figure_is_the_drawn_one(name):
    """Up to what another machine's fonts and rounding change of some pixels."""
    drawn = np.asarray(Image.open(io.BytesIO(figures.figures()[name]())).convert("RGB"))
    stored = np.asarray(Image.open(figures.FOLDER / name).convert("RGB"))
    assert drawn.shape == stored.shape
    assert np.abs(drawn.astype(int) - stored).mean() < 1


def test_the_classification_loss_does_not_see_the_map(pulls):
    assert np.ptp(pulls.terms[TERMS["cls"]]) == 0


def test_region_guidance_is_content_with_a_part(pulls):
    """CE of the foreground has lost 95 % of log 8 before half the object is shown."""
    assert at(pulls, "frg", 0) == pytest.approx(np.log(8), abs=1e-5)
    assert at(pulls, "frg", 0.5) < 0.05 * np.log(8)


def test_suppression_asks_for_the_whole_object_and_then_no_more(pulls):
    assert at(pulls, "bas", 0.1) > 0.6
    assert at(pulls, "bas", 0.5) > 0.2  # half hidden, and still heard
    assert at(pulls, "bas", 2.5) < 0.01
    assert pulls.terms[TERMS["bas"]][0] == 0  # the paper's constant: an empty map


def test_the_area_term_is_the_maps_share_of_the_image(pulls):
    assert at(pulls, "area", 1) == pytest.approx(pulls.object_share, abs=0.01)
    assert pulls.terms[TERMS["area"]][-1] == pytest.approx(1)


def test_beta_moves_the_least_loss_from_flooding_to_a_part(pulls):
    low, middle, high = (pulls.best_share(beta) for beta in loss_pulls.BETAS)
    assert low > 1.2 > middle > 0.8 > high
    assert high < 0.6


def test_a_low_threshold_joins_and_a_high_one_cuts():
    drawn = drawings.example(map_to_box.INDEX)
    boxes, _ = components.boxes_at_thresholds(
        map_to_box.made_up_map(drawn),
        crop_size_wh=drawings.SIZE,
        score_thresholds=map_to_box.THRESHOLDS,
    )
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    assert areas[0] > 1.1 * areas[1] > 1.3 * areas[2]
