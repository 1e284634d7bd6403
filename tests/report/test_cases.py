"""Cases: which images are shown, and that each case shows its own image."""

import numpy as np
import pytest

from bas_tf.configs import demo
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.evaluators.figures import Evaluation
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.report import cases


def test_spread_takes_two_of_each_of_eight_classes():
    labels = np.tile(np.arange(8), 10)
    chosen = cases.choose_spread(labels)
    assert labels[chosen].tolist() == np.repeat(np.arange(8), 2).tolist()
    # Of a class's ten images the ones at (2 j + 1) * 10 // 4: 2 and 7.
    assert chosen[:2].tolist() == [2 * 8, 7 * 8]


def test_spread_over_more_classes_than_places_takes_one_of_each_chosen_class():
    labels = np.repeat(np.arange(40), 3)
    chosen = cases.choose_spread(labels, count=16)
    shown = labels[chosen]
    assert len(set(shown)) == 16
    assert set(np.diff(shown)) == {2, 3}  # 40 / 16 = 2.5 classes apart


@pytest.mark.parametrize("n", [0, 1, 5, 16, 17])
def test_spread_fills_up_from_large_classes(n):
    labels = np.array([3] + [0] * (n - 1))[:n]
    chosen = cases.choose_spread(labels)
    assert len(chosen) == len(set(chosen.tolist())) == min(n, 16)
    assert set(labels[chosen]) == set(labels)


def test_best_and_worst():
    ious = np.array([0.5, np.nan, 0.9, 0.1, 0.9, 0.3])
    best, worst = cases.choose_best_and_worst(ious, count=2)
    assert best.tolist() == [2, 4]  # a tie: the first image first
    assert worst.tolist() == [3, 5]
    best, worst = cases.choose_best_and_worst(np.array([np.nan, np.nan]))
    assert len(best) == len(worst) == 0


def _build(indices, *, cams):
    """Cases of three grey images; the first has no true box."""
    boxes, size_wh = np.tile([4.0, 4, 20, 20], (3, 1)), (32, 32)
    per_image = {"iou": np.array([np.nan, 0.987, 0.2]), "box": boxes}
    evaluated = EvaluationResult(
        document={},
        evaluation=Evaluation({}, {}, 0.5, "fixed", "label", per_image),
        records=[],
        predictions=Predictions(
            labels=np.array([0, 1, 2]),
            class_ids=np.array([[0], [2], [2]]),
            scores=np.array([0.6, 0.7, 1.0]),
            maps=np.random.default_rng(0).random((3, 4, 4)),
            boxes=boxes,
            degenerate=np.zeros(3, bool),
            cams=cams,
        ),
        truth=GroundTruth(
            np.array([1, 2]), [boxes[:1], np.ones((2, 4))], size_wh, size_wh
        ),
        images=[np.full((32, 32, 3), shade, np.uint8) for shade in (40, 120, 200)],
        class_names=("ant", "bee", "cat"),
        config=demo.get_config(),
    )
    evaluated.config.data.crop_size = size_wh
    return cases.build_cases(evaluated, indices)


def test_cases_follow_the_indices():
    first, second = _build([1, 0], cams=np.ones((3, 2, 2)))
    assert first.caption == "bee, predicted cat 0.70, IoU 0.99"
    assert second.caption == "ant, predicted ant 0.60, no true box"
    assert (first.picture[-1, 0] == 120).all()
    assert (second.picture[-1, 0] == 40).all()
    assert first.picture.shape == (224, 3 * 224 + 8, 3)


def test_an_image_without_a_score_has_no_class():
    assert cases.class_name(("ant", "bee"), 1) == "bee"
    assert cases.class_name(("ant", "bee"), -1) == "no class"


def test_without_cam_there_are_two_tiles():
    (case,) = _build([2], cams=None)
    assert case.picture.shape == (224, 2 * 224 + 4, 3)
