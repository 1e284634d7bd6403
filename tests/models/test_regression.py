"""The paper's networks still give the numbers that are recorded in tests/fixtures.

What the parity suite compares with the published code, at a small crop and with the
implementation's own numbers, so it needs no other files. Weights that differ by 1e-15
move the forward passes by 1e-13, gradients by 8e-12, the steps by 2e-10 and the
statistics by 7e-14. Scales are those of the parity suite: an array's largest value
forward, its norm for gradients and steps.
"""

import json

import numpy as np
import pytest

from bas_tf import names
from bas_tf.geometry import components
from tests.fixtures import networks
from tests.golden.weights import assert_close, assert_statistics, deviation

pytestmark = pytest.mark.slow

FLOAT32 = ("score_1", "score_2", "x_saliency", "x_sum", "x_erase_sum", "ce1", "area")


@pytest.fixture(scope="module", params=networks.NETWORKS, ids=lambda n: n.backbone)
def network(request):
    return request.param


@pytest.fixture(scope="module")
def truth(network):
    with np.load(networks.path(network)) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def run(network):
    return networks.run(network)


def test_a_file_tells_where_it_comes_from(truth):
    provenance = json.loads(str(truth["provenance"]))
    assert provenance["written_by"] == "python -m tests.record_fixtures"
    assert "tests/golden/test_parity.py" in provenance["verified"]
    assert {"tensorflow", "keras", "numpy"} <= provenance.keys()


def test_the_forward_passes(truth, run):
    ours = {f"eval/{name}": array for name, array in run.evaluated.items()}
    ours |= {f"train/{name}": array for name, array in run.steps[0].terms.items()}
    off = {name: deviation(array, truth[name]) for name, array in ours.items()}
    assert_close(off, 1e-9)
    # The step is recorded where some background is suppressed and adds a gradient.
    assert (truth["train/ratio_per_sample"] > 0).any()


def test_every_gradient(truth, run):
    assert_statistics(truth, "train/grad", run.steps[0].gradients, 1e-7)


@pytest.mark.parametrize("step", networks.RECORDED_STEPS)
def test_the_steps_of_the_optimizer(truth, run, step):
    group, changes = f"step{step}/delta", networks.changes(run, step)
    assert_statistics(truth, group, changes, 1e-7)


def test_the_moving_statistics(network, truth, run):
    statistics = run.steps[0].statistics
    if network.backbone == "vgg16":  # has no BatchNorm
        assert not statistics
        assert "step1/bn/names" not in truth
    else:
        assert_statistics(truth, "step1/bn", statistics, 1e-7)


def test_the_losses_of_three_steps(truth, run):
    np.testing.assert_allclose(networks.losses(run), truth["losses"], rtol=1e-7)


def test_the_prediction_and_its_boxes(truth, run):
    """The graph's boxes, and those of the host's path on the same maps."""
    for key in (names.SCORES, names.LOCALIZATION_MAP):
        assert deviation(run.prediction[key], truth[f"predict/{key}"]) <= 1e-9
    boxes = truth[f"predict/{names.BOXES}"]
    np.testing.assert_array_equal(run.prediction[names.BOXES], boxes)
    for score_map, box in zip(
        run.prediction[names.LOCALIZATION_MAP], boxes, strict=True
    ):
        of_host, degenerate = components.box_from_map(
            score_map[..., 0],
            crop_size_wh=networks.CROP_WH,
            score_threshold=networks.SCORE_THRESHOLD,
        )
        assert not degenerate
        np.testing.assert_array_equal(of_host, box)


def test_float32_and_its_boxes(network, truth):
    localizer = networks.build(network)
    terms = networks.evaluate(network, localizer)
    off = {name: deviation(terms[name], truth[f"eval/{name}"]) for name in FLOAT32}
    assert terms["score_1"].dtype == np.float32
    assert_close(off, 1e-4)
    boxes = networks.predict(localizer)[names.BOXES]
    np.testing.assert_array_equal(boxes, truth[f"predict/{names.BOXES}"])
