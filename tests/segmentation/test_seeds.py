"""Seeds by hand."""

import numpy as np

from bas_tf.metrics.segmentation import label_confusion
from bas_tf.segmentation import seeds


def test_a_mirrored_map_is_turned_back_and_classes_are_chosen():
    """The network's map of class 2 is the red channel, of class 0 nothing."""

    def network(images):
        red = images[:, 2::4, 2::4, :1] / 255.0
        return [np.concatenate([0 * red, red, red], axis=-1)]

    photo = np.zeros([16, 32, 3], np.uint8)
    photo[:, :16] = 255
    found = seeds.make_seeds(photo, [2, 0], network, scales=[1.0])
    assert found.low.shape == (2, 4, 8) and found.high.shape == (2, 16, 32)
    np.testing.assert_allclose(found.low[0, :, :4], 1, atol=1e-5)
    assert not found.low[0, :, 4:].any() and not found.low[1].any()
    labels = seeds.label_map(found.high, found.keys, 0.3)
    # Between the centres of two cells of 4, at 13.5 and 17.5, it falls from 1 to 0:
    # 0.375 at 16.
    assert labels[:, :17].all() and not labels[:, 17:].any()
    assert set(labels.flat) == {0, 3}


def test_a_photo_without_labels_is_background():
    photo = np.zeros([5, 6, 3], np.uint8)
    found = seeds.make_seeds(photo, [], lambda images: [np.ones([2, 1, 1, 3])])
    assert found.low.shape == (0, 2, 2) and found.high.shape == (0, 5, 6)
    np.testing.assert_array_equal(
        seeds.label_map(found.high, found.keys, 0.3), np.zeros([5, 6])
    )


def test_confusions_are_those_of_the_label_map_at_each_threshold(rng):
    """With values on a threshold, equal maps and pixels that do not count."""
    maps = rng.integers(0, 21, [2, 8, 9]).astype(np.float32) / np.float32(20)
    truth = rng.choice([0, 2, 3, 255], [8, 9]).astype(np.uint8)
    keys, thresholds = np.array([2, 1]), [0.25, 0.5, 0.95]
    found = seeds.confusions_at_thresholds(maps, keys, truth, 4, thresholds)
    for confusion, threshold in zip(found, thresholds, strict=True):
        labels = seeds.label_map(maps, keys, threshold)
        np.testing.assert_array_equal(confusion, label_confusion(truth, labels, 4))
