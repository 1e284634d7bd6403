"""Predictions follow protocol `bas`'s rule, on good maps and on broken ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import inference, names
from bas_tf.geometry.components import box_from_map
from tests.lively import enliven
from tests.training.narrow import narrow_localizer


@pytest.fixture(scope="module")
def built():
    keras.utils.set_random_seed(0)
    return enliven(narrow_localizer(num_classes=4))


@pytest.fixture
def localizer(built, rng):
    """Random kernels, weak enough that the sigmoid does not flatten the maps."""
    built.generator.kernel.assign(
        rng.normal(scale=0.1, size=built.generator.kernel.shape)
    )
    built.generator.bias.assign(np.zeros(4))
    return built


@pytest.fixture
def images(rng):
    """Noise with a bright square somewhere: uint8 [6, 64, 96, 3]."""
    images = rng.integers(0, 90, [6, 64, 96, 3]).astype(np.uint8)
    for i, image in enumerate(images):
        image[5 * i : 5 * i + 30, 12 * i : 12 * i + 35] += 150
    return images


@pytest.mark.parametrize("score_threshold", [0.0, 0.15, 0.5, 0.9])
def test_boxes_follow_the_numpy_rule_on_their_own_map(
    localizer, images, score_threshold
):
    predict_fn = inference.make_predict_fn(localizer, score_threshold=score_threshold)
    outputs = predict_fn(images)
    assert outputs[names.LOCALIZATION_MAP].shape == (6, 8, 12)
    for i in range(len(images)):
        box, degenerate = box_from_map(
            outputs[names.LOCALIZATION_MAP][i],
            crop_size_wh=(96, 64),
            score_threshold=score_threshold,
        )
        # Two resizes round differently: a pixel on the threshold may fall either way.
        np.testing.assert_allclose(outputs[names.BOXES][i], box, atol=1)
        assert outputs[names.DEGENERATE][i] == degenerate
    if score_threshold == 0.5:
        assert len(np.unique(outputs[names.BOXES], axis=0)) >= 4


def test_outputs_have_their_shapes_dtypes_and_ranges(localizer, images):
    outputs = inference.make_predict_fn(localizer, score_threshold=0.15)(images)
    assert {key: (value.shape, value.dtype) for key, value in outputs.items()} == {
        names.SCORES: ((6, 4), np.float32),
        names.LOCALIZATION_MAP: ((6, 8, 12), np.float32),
        names.CAM: ((6, 4, 6), np.float32),
        names.BOXES: ((6, 4), np.float32),
        names.DEGENERATE: ((6,), np.bool_),
    }
    np.testing.assert_allclose(outputs[names.SCORES].sum(axis=1), 1, atol=1e-5)
    logits = localizer(images)[names.LOGITS].numpy()
    exponentials = np.exp(logits)
    np.testing.assert_allclose(
        outputs[names.SCORES],
        exponentials / exponentials.sum(axis=1, keepdims=True),
        atol=1e-5,
    )


def test_float_images_give_the_same_as_uint8(localizer, images):
    predict_fn = inference.make_predict_fn(localizer, score_threshold=0.15)
    as_uint8, as_float = predict_fn(images), predict_fn(images.astype(np.float32))
    for key, value in as_uint8.items():
        np.testing.assert_allclose(value, as_float[key], atol=1e-6, err_msg=key)


@pytest.mark.parametrize("bias, value", [(0.0, 0.5), (50.0, 1.0), (np.nan, np.nan)])
def test_a_constant_or_nan_map_gives_the_whole_image(localizer, images, bias, value):
    """sigmoid(0) = 0.5; a zero kernel leaves nothing but the bias."""
    localizer.generator.kernel.assign(np.zeros(localizer.generator.kernel.shape))
    localizer.generator.bias.assign([bias] * 4)
    outputs = inference.make_predict_fn(localizer, score_threshold=0.15)(images)
    np.testing.assert_array_equal(outputs[names.LOCALIZATION_MAP], value)
    np.testing.assert_array_equal(outputs[names.BOXES], [[0, 0, 96, 64]] * 6)
    assert outputs[names.DEGENERATE].all()


def test_a_given_classs_map_box_and_probability(localizer, images):
    predict_fn = inference.make_given_class_fn(
        localizer, class_id=2, score_threshold=0.5
    )
    outputs = predict_fn(images)
    features = localizer(images)[names.FEATURES]
    maps = localizer.generator(features, tf.fill([6, 1], 2))[..., 0]
    np.testing.assert_allclose(outputs[names.LOCALIZATION_MAP], maps, atol=1e-5)
    free = inference.make_predict_fn(localizer, score_threshold=0.5)(images)
    np.testing.assert_allclose(
        outputs[names.SCORES][:, 2], free[names.SCORES][:, 2], atol=1e-6
    )
    assert (outputs[names.SCORES][:, [0, 1, 3]] == 0).all()
    for i in range(len(images)):
        box, _ = box_from_map(maps[i], crop_size_wh=(96, 64), score_threshold=0.5)
        np.testing.assert_allclose(outputs[names.BOXES][i], box, atol=1)


@pytest.mark.slow
def test_labels_maps_come_from_the_same_pass(localizer, images):
    """As `make_predict_fn` and `make_given_class_fn` give them, one call each."""
    labels = np.array([0, 1, 2, 3, 2, 1])
    found = inference.make_label_fn(localizer, score_threshold=0.5)(images, labels)
    free = inference.make_predict_fn(localizer, score_threshold=0.5)(images)
    for key, value in free.items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)
    assert found[names.LABEL_CAM].shape == free[names.CAM].shape
    for label in range(4):
        given_fn = inference.make_given_class_fn(
            localizer, class_id=label, score_threshold=0.5
        )
        given, asked = given_fn(images[labels == label]), labels == label
        expected = given[names.LOCALIZATION_MAP]
        np.testing.assert_allclose(found[names.LABEL_MAP][asked], expected, atol=1e-5)
        boxes = found[names.LABEL_BOXES][asked]
        np.testing.assert_allclose(boxes, given[names.BOXES], atol=1)


def test_a_mean_of_several_maps_takes_no_label(localizer, images, monkeypatch):
    monkeypatch.setattr(localizer, "top_k", 3)
    label_fn = inference.make_label_fn(localizer, score_threshold=0.5)
    found = label_fn(images, np.zeros(6, int))
    np.testing.assert_array_equal(found[names.LABEL_MAP], found[names.LOCALIZATION_MAP])
    np.testing.assert_array_equal(found[names.LABEL_BOXES], found[names.BOXES])


def test_the_classifier_alone_gives_the_same_scores(localizer, images):
    full = inference.make_predict_fn(localizer, score_threshold=0.15)(images)
    scores = inference.make_scores_fn(localizer)(images)
    assert (scores.shape, scores.dtype) == ((6, 4), np.float32)
    np.testing.assert_allclose(scores, full[names.SCORES], atol=1e-6)


@pytest.mark.slow
def test_ten_crop_scores_are_the_mean_over_corners_centre_and_mirrors(localizer, rng):
    photos = rng.integers(0, 255, [3, 70, 75, 3]).astype(np.uint8)
    localizer.backbone.head.get_layer("classifier").convolutions[-1].bias.assign(
        [0.5, 0.1, 0.2, 0.3]
    )
    predict_fn = inference.make_predict_fn(localizer, score_threshold=0.15)
    classify = inference.make_scores_fn(localizer)
    batches = []

    def scores_fn(crops):
        batches.append(crops.shape)
        return classify(crops)

    positions = np.array([2, 0])
    centres = photos[positions, 3 : 3 + 64, 5 : 5 + 64]
    scores = inference.ten_crop_scores(
        predict_fn(centres)[names.SCORES],
        positions,
        images=photos,
        scores_fn=scores_fn,
        crop_size_wh=(64, 64),
    )
    assert (scores.shape, scores.dtype) == ((2, 4), np.float32)
    assert batches == [(2, 64, 64, 3)] * 9  # never the centre, never more than a batch
    offsets = [(0, 0), (0, 11), (6, 0), (6, 11), (3, 5)]  # y, x; 70 - 64, 75 - 64
    for photo, actual in zip(photos[positions], scores, strict=True):
        total = np.zeros(4)
        for y, x in offsets:
            crop = photo[y : y + 64, x : x + 64]
            for view in (crop, crop[:, ::-1]):
                total += predict_fn(view[np.newaxis])[names.SCORES][0]
        np.testing.assert_allclose(actual, total / 10, atol=1e-6)


def test_one_graph_serves_batches_of_all_sizes():
    traced = []
    doubled = inference.of_any_batch(lambda x: traced.append(x.shape) or 2 * x)
    for size in (3, 2, 3):
        np.testing.assert_array_equal(
            doubled(tf.ones([size, 4])), np.full([size, 4], 2)
        )
    assert traced == [(None, 4)]
