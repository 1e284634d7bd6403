"""One pass over the data, in any order and any batches."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.evaluators.predictions import predict_all


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 1, 4, 0, 2]])
def test_rows_follow_the_records(split, size, order):
    predictions = predict_all(
        batches=split.batches(size, order), predict_fn=split.predict, num_records=5
    )
    np.testing.assert_array_equal(predictions.labels, [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(predictions.class_ids[:, 0], [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(predictions.maps, split.outputs["localization_map"])
    np.testing.assert_array_equal(predictions.boxes, split.outputs["boxes"])
    np.testing.assert_array_equal(predictions.degenerate, [0, 0, 0, 0, 1])
    assert predictions.cams is None
    assert predictions.class_ids.shape == (5, 2)


def test_maps_with_a_channel_lose_it(split):
    split.outputs[names.CAM] = np.ones([5, 3, 2, 1], np.float32)
    split.outputs[names.LOCALIZATION_MAP] = np.ones([5, 6, 4, 1], np.float32)
    predictions = predict_all(
        batches=split.batches(2), predict_fn=split.predict, num_records=5
    )
    assert predictions.cams.shape == (5, 3, 2)
    assert predictions.maps.shape == (5, 6, 4)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [0, 1, 2, 3, 3], []])
def test_every_record_must_come_exactly_once(split, order):
    with pytest.raises(ValueError, match="for 5 records; each must come exactly once"):
        predict_all(
            batches=split.batches(2, order), predict_fn=split.predict, num_records=5
        )


def test_classes_can_be_ranked_by_other_scores(split):
    """The other scores of image i put class i % 2 first, with 0.6."""

    def rank(scores, positions):
        np.testing.assert_array_equal(scores, split.outputs[names.SCORES][positions])
        return np.where(positions[:, np.newaxis] % 2 == [0, 1], 0.6, 0.4)

    predictions = predict_all(
        batches=split.batches(2, [3, 1, 4, 0, 2]),
        predict_fn=split.predict,
        num_records=5,
        rank_fn=rank,
    )
    np.testing.assert_array_equal(predictions.class_ids[:, 0], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(predictions.scores, [0.6] * 5)
    np.testing.assert_array_equal(predictions.maps, split.outputs["localization_map"])


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_the_model_does_not_know_is_an_error(split, label):
    split.records[1] = dataclasses.replace(split.records[1], label=label)
    with pytest.raises(UserError, match=r"2 classes: labels must be in 0\.\.1"):
        predict_all(batches=split.batches(5), predict_fn=split.predict, num_records=5)


def test_what_only_fills_a_batch_up_is_left_out(split):
    """Batches of 2: the last holds image 4 and padding, of which nothing may stay."""
    whole, positions_seen = list(split.batches(2)), []
    last = whole[-1]
    whole[-1] = {
        names.IMAGES: np.concatenate([last[names.IMAGES], last[names.IMAGES]]),
        names.LABELS: np.append(last[names.LABELS], 9),  # no class of the model's
        names.INDEX: np.append(last[names.INDEX], names.PADDING),
    }

    def rank(scores, positions):
        positions_seen.extend(positions)
        return scores

    predictions = predict_all(
        batches=whole, predict_fn=split.predict, num_records=5, rank_fn=rank
    )
    np.testing.assert_array_equal(predictions.labels, [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(predictions.maps, split.outputs["localization_map"])
    assert positions_seen == [0, 1, 2, 3, 4]
