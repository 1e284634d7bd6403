"""Masked features of a real small model."""

import keras
import numpy as np
import pytest

from bas_tf import names
from bas_tf.analysis import masked_features
from bas_tf.models.localizer import build_localizer
from tests.lively import enliven

SHARES = np.array([0.0, 0.5, 1.0, 2.0, 40.0])  # 64 x 64 / 40 = 102 of the object's 256


@pytest.fixture(scope="module")
def localizer():
    keras.utils.set_random_seed(0)
    model = build_localizer(
        backbone="mobilenet_v1",
        num_classes=5,
        input_size_wh=(64, 96),
        classifier={"variant": "linear", "final_relu": False},
        backbone_options={"width": 0.125},
    )
    enliven(model)
    rng = np.random.default_rng(0)
    for variable in model.backbone.head.trainable_variables:
        if variable.path.endswith(("bias", "beta")):  # so that nothing is not zero
            variable.assign(rng.normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 256, [96, 64, 3], np.uint8)


def test_average_masks_by_hand():
    mask = np.zeros([4, 6], bool)
    mask[0, 0] = mask[2:, 3:] = True  # blocks of 2 x 3: 1 / 6, 0; 0, 1
    averaged = masked_features.average_masks(np.stack([mask, ~mask]), (2, 2))
    np.testing.assert_allclose(averaged[0, ..., 0], [[1 / 6, 0], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(averaged[1, ..., 0], [[5 / 6, 1], [1, 0]], rtol=1e-6)


def test_full_and_empty_masks_give_the_plain_scores_and_the_heads_of_nothing(
    localizer, image
):
    masks = np.stack([np.zeros([96, 64], bool), np.ones([96, 64], bool)])
    masked_logits = masked_features.make_masked_logits_fn(localizer)
    foreground, background = masked_logits(image, masks)
    outputs = localizer(image[np.newaxis], training=False)
    features, plain = outputs[names.FEATURES], outputs[names.LOGITS][0].numpy()
    of_nothing = localizer.backbone.head(0 * features, training=False)
    of_nothing = of_nothing.numpy().mean(axis=(0, 1, 2))
    assert np.abs(plain - of_nothing).min() > 1e-3  # masking can be seen in them
    np.testing.assert_allclose(foreground, [of_nothing, plain], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(background, [plain, of_nothing], rtol=1e-4, atol=1e-6)


def test_half_an_image_by_hand(localizer, image):
    """The left half, 4 of 8 columns of F, against F cut by hand."""
    mask = np.zeros([96, 64], bool)
    mask[:, :32] = True
    masked_logits = masked_features.make_masked_logits_fn(localizer)
    foreground, background = masked_logits(image, mask[np.newaxis])
    features = localizer.backbone.trunk(image[np.newaxis], training=False).numpy()
    assert features.shape[1:3] == (12, 8)
    for logits, hidden in ((foreground, slice(4, 8)), (background, slice(0, 4))):
        cut = features.copy()
        cut[:, :, hidden] = 0
        class_maps = localizer.backbone.head(cut, training=False).numpy()
        np.testing.assert_allclose(
            logits, class_maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6
        )


def test_respond_reads_the_labels_curves(localizer, image):
    mask = np.zeros([96, 64], bool)
    mask[40:56, 20:36] = True
    masked_logits = masked_features.make_masked_logits_fn(localizer)
    plain = localizer(image[np.newaxis], training=False)[names.LOGITS][0].numpy()
    plain = plain.astype(np.float64)
    labels = [int(plain.argmax()), int(plain.argmin())]
    found = masked_features.respond(
        masked_logits, [(image, mask, label) for label in labels], SHARES
    )
    assert found.is_known.tolist() == [True, False]
    np.testing.assert_array_equal(found.shares, SHARES)
    entropies = np.log(np.exp(plain).sum()) - plain[labels]
    np.testing.assert_allclose(found.cross_entropy[:, -1], entropies, rtol=1e-4)
    np.testing.assert_allclose(found.activation[:, -1], plain[labels], rtol=1e-4)
    # Nothing hidden is everything shown; everything hidden is nothing shown.
    for whole, nothing in ((-1, 0), (0, -1)):
        np.testing.assert_allclose(
            found.activation[:, whole], found.background_activation[:, nothing],
            rtol=1e-4,
        )  # fmt: skip
    foreground, background = masked_logits(image, mask[np.newaxis])
    np.testing.assert_allclose(found.activation[:, 2], foreground[0, labels], rtol=1e-4)
    np.testing.assert_allclose(
        found.background_activation[:, 2], background[0, labels], rtol=1e-4
    )
