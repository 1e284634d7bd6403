"""One step's terms with either objective of the generator."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.models.bas_terms import (
    bas_terms,
    label_map_terms,
    terms_of_positives,
)
from tests.lively import enliven
from tests.training.narrow import narrow_localizer

LABELS = tf.constant([2, 0, 1, 2])


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.integers(0, 256, [4, 64, 64, 3]).astype(np.uint8)


@pytest.fixture
def localizer(build):
    return enliven(build()[0])


def cross_entropy_terms(localizer, images, *, batch_statistics=False):
    return bas_terms(
        localizer, images, LABELS, objective="ce", background_wins="zero",
        batch_statistics=batch_statistics,
    )  # fmt: skip


def test_the_objective_changes_its_own_term_only(localizer, images):
    suppression = bas_terms(
        localizer, images, LABELS, background_wins="zero", batch_statistics=False
    )
    cross_entropy = cross_entropy_terms(localizer, images)
    assert suppression.keys() - cross_entropy.keys() == {
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS, names.BACKGROUND_ACTIVATION,
    }  # fmt: skip
    assert cross_entropy.keys() - suppression.keys() == {
        names.FOREGROUND_CROSS_ENTROPY_LOSS
    }
    for key in suppression.keys() & cross_entropy.keys():
        np.testing.assert_allclose(suppression[key], cross_entropy[key], rtol=1e-6)


def test_cross_entropy_in_numpy(localizer, images):
    """-log softmax(GAP(f2(F M_y)))_y, step by step."""
    terms = cross_entropy_terms(localizer, images)
    features = localizer.backbone.trunk(images, training=False).numpy()
    foreground = features * terms[names.FOREGROUND_MAP].numpy()
    class_maps = localizer.backbone.head(foreground, training=False).numpy()
    scores = class_maps.mean(axis=(1, 2), dtype=np.float64)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log(shares[np.arange(4), LABELS.numpy()])
    found = terms[names.FOREGROUND_CROSS_ENTROPY_LOSS]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    plain = terms[names.CLASSIFICATION_LOSS].numpy()
    assert (np.abs(expected - plain) > 1e-3 * plain).all()  # the map does hide


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_with_a_map_of_ones_it_is_the_classification_loss(
    localizer, images, batch_statistics
):
    localizer.generator.bias.assign([60.0] * 3)  # sigmoid(60) is 1
    terms = cross_entropy_terms(localizer, images, batch_statistics=batch_statistics)
    assert (terms[names.FOREGROUND_MAP].numpy() == 1).all()
    np.testing.assert_allclose(
        terms[names.FOREGROUND_CROSS_ENTROPY_LOSS],
        terms[names.CLASSIFICATION_LOSS],
        rtol=1e-5,
    )


def test_the_label_maps_reach_generator_and_trunk_and_not_the_head(images):
    """The classifier's term reaches trunk and head: the student keeps its classes."""
    localizer = enliven(narrow_localizer(map_outputs="softmax"))
    masks = tf.constant(np.arange(4 * 64 * 64).reshape(4, 64, 64, 1) % 4, tf.uint8)
    parts = localizer.generator, localizer.backbone.trunk, localizer.backbone.head
    with tf.GradientTape(persistent=True) as tape:
        present = tf.one_hot(LABELS, 3)
        terms = label_map_terms(localizer, images, LABELS, masks, present)
    reached = {}
    for name in (names.LABEL_MAP_LOSS, names.CLASSIFICATION_LOSS):
        gradients = [tape.gradient(terms[name], p.trainable_variables) for p in parts]
        reached[name] = [
            all(g is not None and np.abs(tf.convert_to_tensor(g)).max() > 0 for g in of)
            for of in gradients
        ]
    assert reached[names.LABEL_MAP_LOSS] == [True, True, False]
    assert reached[names.CLASSIFICATION_LOSS] == [False, True, True]


def test_in_float64_every_term_is_float64(in_float64, build, images):
    terms = cross_entropy_terms(build()[0], images, batch_statistics=True)
    assert {term.dtype for term in terms.values()} == {tf.float64}


def test_all_positives_are_the_mean_of_one_at_a_time(images):
    """One to three a photo; no layer looks at the batch."""
    localizer = enliven(narrow_localizer())
    present = tf.constant([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 1, 1]])
    options = {"background_wins": "one", "batch_statistics": False}
    found = terms_of_positives(
        localizer, images, LABELS, None, present, positives="all", **options
    )
    each = [
        bas_terms(localizer, images, tf.fill([4], k), present=present, **options)
        for k in range(3)
    ]
    shares = present.numpy() / np.sum(present, axis=1, keepdims=True)
    for name, term in found.items():
        terms = np.stack([of_class[name] for of_class in each], axis=1)
        expected = np.einsum("bk...,bk->b...", terms, shares)
        np.testing.assert_allclose(term, expected, rtol=1e-4, atol=1e-6, err_msg=name)
