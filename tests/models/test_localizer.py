"""The composition: names, shapes and ranges of what a localizer returns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.errors import UserError
from tests.lively import enliven
from tests.training.narrow import narrow_localizer


def build(**options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_v1", "num_classes": 5} | options
    localizer = narrow_localizer(**options)
    rng = np.random.default_rng(0)
    localizer.generator.kernel.assign(rng.normal(size=localizer.generator.kernel.shape))
    return enliven(localizer)


@pytest.fixture
def localizer():
    return build()


def test_outputs_have_their_names_shapes_and_ranges(localizer, images):
    outputs = localizer(images)
    assert {key: tuple(value.shape) for key, value in outputs.items()} == {
        names.FEATURES: (3, 8, 8, 64),
        names.CLASS_MAPS: (3, 4, 4, 5),
        names.LOGITS: (3, 5),
        names.LOCALIZATION_MAP: (3, 8, 8, 1),
        names.CAM: (3, 4, 4, 1),
    }
    assert all(value.dtype == tf.float32 for value in outputs.values())
    assert np.max(outputs[names.FEATURES]) > 0.1
    assert np.min(outputs[names.CLASS_MAPS]) == 0 < np.max(outputs[names.CLASS_MAPS])
    localization_map = outputs[names.LOCALIZATION_MAP].numpy()
    assert 0 <= localization_map.min() < localization_map.max() <= 1


def test_scores_are_the_class_maps_means_and_cam_the_best_ones_map(localizer, images):
    outputs = {key: value.numpy() for key, value in localizer(images).items()}
    class_maps = outputs[names.CLASS_MAPS]
    means = class_maps.mean(axis=(1, 2))
    np.testing.assert_allclose(outputs[names.LOGITS], means, atol=1e-6)
    for i, best in enumerate(outputs[names.LOGITS].argmax(axis=1)):
        np.testing.assert_array_equal(
            outputs[names.CAM][i, ..., 0], class_maps[i, ..., best]
        )


@pytest.mark.parametrize("top_k", [1, 3, 5, 80])
def test_the_map_is_the_mean_of_the_top_classes_maps(images, top_k):
    localizer = build(top_k=top_k)
    outputs = localizer(images)
    every = localizer.generator(outputs[names.FEATURES]).numpy()
    order = np.argsort(-outputs[names.LOGITS].numpy(), axis=1, kind="stable")
    for i in range(len(images)):
        expected = every[i][..., order[i, :top_k]].mean(axis=-1)
        actual = outputs[names.LOCALIZATION_MAP][i, ..., 0]
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_a_batch_of_one_is_a_row_of_the_batch(localizer, images):
    whole, single = localizer(images), localizer(images[1:2])
    for key, value in single.items():
        assert len(value) == 1
        np.testing.assert_allclose(value[0], whole[key][1], atol=1e-5, err_msg=key)


def test_another_size_than_it_was_built_for(localizer):
    outputs = localizer(np.zeros([1, 96, 160, 3], np.uint8))
    assert outputs[names.LOCALIZATION_MAP].shape == (1, 12, 20, 1)
    assert outputs[names.CAM].shape == (1, 6, 10, 1)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"backbone": "vgg"}, "model.backbone is 'vgg'; known: efficientnet_lite0, i"),
        ({"input_size_wh": (64, 60)}, "data.crop_size is 64x60; both must be multiple"),
        ({"input_size_wh": (0, 64)}, "data.crop_size is 0x64"),
        ({"classifier": {"variant": "wide"}}, "model.classifier is 'wide'"),
    ],
)
def test_mistakes_name_their_key(options, told):
    with pytest.raises(UserError, match=told):
        build(**options)
