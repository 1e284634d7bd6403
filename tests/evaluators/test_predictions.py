"""One pass over the data, in any order and any batches."""

import numpy as np
import pytest

from bas_tf import names
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
    assert (len(predictions), predictions.num_classes) == (5, 2)


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
