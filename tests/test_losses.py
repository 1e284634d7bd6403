"""Each loss against its formula, written out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.errors import UserError


def test_classification_loss_is_cross_entropy_of_the_scores():
    logits = tf.constant([[2.0, 0.0, 1.0]])
    # softmax of (2, 0, 1): e^2 = 7.389, 1, e = 2.718, sum 11.107; -log(2.718 / 11.107)
    loss = losses.classification_loss(logits, tf.constant([2]))
    np.testing.assert_allclose(loss, [1.407606], rtol=1e-5)


def test_multilabel_loss_is_that_of_each_present_class_against_the_absent():
    """Image 0, classes 0 and 3: log(1 + e^-2 + e^-3) + log(1 + e^-.5 + e^-1.5);
    image 1, class 1: its cross-entropy. Half of their sum is 0.8283897."""
    logits = tf.constant([[2, 0, -1, 0.5], [0, 1, 1, -2]], tf.float64)
    present = tf.constant([[1, 0, 0, 1], [0, 1, 0, 0]])
    first = np.log(1 + np.exp(-2) + np.exp(-3)) + np.log(
        1 + np.exp(-0.5) + np.exp(-1.5)
    )
    single = losses.classification_loss(logits[1:], tf.constant([1]))
    loss = losses.multilabel_classification_loss(logits, present)
    np.testing.assert_allclose(loss, [first, single[0]], rtol=1e-14)
    assert np.mean(loss) == pytest.approx(0.828389723807426, rel=1e-14)


@pytest.mark.parametrize("present", [0, 1])
def test_multilabel_loss_of_none_or_all_classes_is_0_without_a_gradient(present):
    logits = tf.constant([[100.0, -1e30, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.multilabel_classification_loss(logits, [[present] * 3])
    assert float(loss[0]) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros([1, 3]))


def test_area_constraint_loss_is_the_mean_of_each_map():
    maps = tf.constant([[[[0.0], [1.0]], [[1.0], [0.2]]], [[[0.5]] * 2] * 2])
    loss = losses.area_constraint_loss(maps)
    np.testing.assert_allclose(loss, [2.2 / 4, 0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("background_wins", "expected"),
    # Ratios 1/4, 3/2 (the background wins), 2/2 (equal counts as won).
    [
        ("zero", [0.25, 0.0, 0.0]),
        ("one", [0.25, 1.0, 1.0]),
        ("gradient", [0.25, 1.5, 1]),
    ],
)
def test_suppression_loss_is_the_ratio_or_its_constant(background_wins, expected):
    loss = losses.background_activation_suppression_loss(
        tf.constant([4.0, 2.0, 2.0]),
        tf.constant([1.0, 3.0, 2.0]),
        background_wins=background_wins,
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


@pytest.mark.parametrize("background_wins", losses.BACKGROUND_WINS)
def test_suppression_loss_has_no_gradient_to_the_activation(background_wins):
    activation, background = tf.constant([4.0, 2.0]), tf.constant([1.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch([activation, background])
        loss = losses.background_activation_suppression_loss(
            activation, background, background_wins=background_wins
        )
    to_activation, to_background = tape.gradient(loss, [activation, background])
    assert to_activation is None
    won = 0.5 if background_wins == "gradient" else 0.0  # d (S^b / S) = 1 / 2
    np.testing.assert_allclose(to_background, [0.25, won], rtol=1e-6)


def test_suppression_loss_of_a_dead_activation_is_finite():
    loss = losses.background_activation_suppression_loss(
        tf.constant([0.0, -1.0]), tf.constant([0.0, 2.0])
    )
    np.testing.assert_array_equal(loss, [0.0, 0.0])


def test_unknown_constant_is_refused_by_name():
    with pytest.raises(UserError, match="loss.background_wins is 'two'.*zero, one"):
        losses.background_activation_suppression_loss(
            tf.constant([1.0]), tf.constant([1.0]), background_wins="two"
        )


def test_foreground_cross_entropy_is_cross_entropy_of_the_masked_scores():
    logits = tf.constant([[0.0, 0.0], [np.log(3.0), 0.0]], tf.float64)
    # softmax (1/2, 1/2): log 2;  softmax (3/4, 1/4): -log(1/4) = 2 log 2
    loss = losses.foreground_cross_entropy_loss(logits, tf.constant([0, 1]))
    np.testing.assert_allclose(loss, [np.log(2), 2 * np.log(2)], rtol=1e-12)
    assert loss.dtype == tf.float64


def test_unknown_objective_is_refused_by_name():
    with pytest.raises(UserError, match="loss.objective is 'cam'; known: bas, ce"):
        losses.objective_term("cam")


def test_weighted_sum_takes_the_objectives_term():
    terms = {
        names.CLASSIFICATION_LOSS: tf.constant([1.0]),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.constant([3.0]),
        names.AREA_CONSTRAINT_LOSS: tf.constant([0.1]),
        names.FOREGROUND_CROSS_ENTROPY_LOSS: tf.constant([0.7]),
    }
    total = losses.weighted_sum(terms, alpha=0.0, beta=2.0, objective="ce")
    np.testing.assert_allclose(total, [1.9], rtol=1e-6)  # 1 + 0 * 3 + 2 * 0.1 + 0.7


def test_weighted_sum():
    terms = {
        names.CLASSIFICATION_LOSS: tf.constant([1.0, 2.0]),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.constant([3.0, 4.0]),
        names.AREA_CONSTRAINT_LOSS: tf.constant([0.1, 0.2]),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: tf.constant([0.5, 0.25]),
    }
    total = losses.weighted_sum(terms, alpha=0.5, beta=2.0)
    # 1 + 0.5 * 3 + 2 * 0.1 + 0.5 = 3.2;  2 + 0.5 * 4 + 2 * 0.2 + 0.25 = 4.65
    np.testing.assert_allclose(total, [3.2, 4.65], rtol=1e-6)


def test_mask_loss_is_cross_entropy_and_dice_of_the_sure_pixels():
    scores = np.array([[0.2, 0.9], [0.6, 0.5]], np.float32)
    maps = tf.constant(np.stack([scores, scores])[..., np.newaxis])
    masks = np.full([2, 16, 16, 1], 128, np.uint8)  # of the second example: none
    masks[0, :8] = 0
    masks[0, :, 8:] = 255
    masks[0, 12:] = 128
    loss, has_mask = losses.mask_loss(maps, tf.constant(masks))
    assert has_mask.numpy().tolist() == [True, False] and loss[1] == 0
    resized = tf.image.resize(maps, [8, 8])[0, ..., 0].numpy().astype(np.float64)
    sure = np.ones([8, 8], bool)
    sure[4:, :4] = sure[6:] = False
    target = np.zeros([8, 8])
    target[:, 4:] = 1
    p, t = resized[sure], target[sure]
    entropy = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    dice = (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    np.testing.assert_allclose(loss[0], entropy + 1 - dice, rtol=1e-5)


@pytest.mark.parametrize("score, pixel", [(0.0, 255), (1.0, 0), (0.0, 0), (1.0, 255)])
def test_mask_loss_of_a_map_without_doubt_is_finite_in_a_graph(score, pixel):
    maps = tf.fill([1, 4, 4, 1], score)
    masks = tf.fill([1, 16, 16, 1], tf.constant(pixel, tf.uint8))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        loss, _ = tf.function(losses.mask_loss)(maps, masks)
    is_right = score == pixel / 255
    np.testing.assert_allclose(loss, [0.0 if is_right else 19.4], atol=0.1)
    assert np.isfinite(tape.gradient(loss, maps)).all()


def test_label_map_loss_is_cross_entropy_and_dice_of_the_sure_pixels(rng):
    """Pixel by pixel in float64: each against the logits of its cell, 2 x 2 of them."""
    logits = rng.normal(size=[2, 3, 2, 4]).astype(np.float32)
    label_maps = rng.integers(0, 4, [2, 24, 16, 1]).astype(np.uint8)
    label_maps[0, :5, 3:] = 255
    label_maps[1] = 255  # of the second example: none
    with tf.GradientTape() as tape:
        given = tf.Variable(logits)
        loss = losses.label_map_loss(given, tf.constant(label_maps))
    resized = tf.image.resize(logits, [12, 8]).numpy().astype(np.float64)
    terms, both, areas = [], np.zeros(4), np.zeros(4)
    for y, x in np.argwhere(label_maps[0, ..., 0] != 255):
        z = resized[0, y // 2, x // 2]
        channel = (int(label_maps[0, y, x, 0]) - 1) % 4  # background is the last
        found = np.exp(z) / np.exp(z).sum()
        terms.append(-np.log(found[channel]))
        both[channel] += found[channel] / 4  # of a cell
        areas += (found + np.eye(4)[channel]) / 4
    dice = ((2 * both + 1) / (areas + 1))[:3]
    np.testing.assert_allclose(loss, [np.mean(terms) + 1 - dice.mean(), 0], rtol=1e-5)
    gradient = tape.gradient(loss, given).numpy()
    assert (gradient[0] != 0).all() and (gradient[1] == 0).all()


def test_weighted_sum_lets_a_mask_replace_the_area():
    terms = {
        names.CLASSIFICATION_LOSS: tf.constant([1.0, 1.0]),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.constant([2.0, 2.0]),
        names.AREA_CONSTRAINT_LOSS: tf.constant([4.0, 4.0]),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: tf.constant([8.0, 8.0]),
        names.MASK_LOSS: tf.constant([16.0, 0.0]),
        names.HAS_MASK: tf.constant([True, False]),
    }
    total = losses.weighted_sum(terms, alpha=0.5, beta=0.25)
    masked = 1 + 1 + 8 * losses.MASKED_WEIGHT + 16
    assert total.numpy().tolist() == [masked, 1 + 1 + 1 + 8]
