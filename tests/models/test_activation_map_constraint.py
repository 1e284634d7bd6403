"""The frozen pass: who gets a gradient of it and who does not (section 3.2)."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses
from bas_tf.models.activation_map_constraint import background_activation, masked_logits
from bas_tf.ops import masking


def cross_entropy_loss(localizer, images, labels, *, training):
    features = localizer.backbone.trunk(images, training=False)
    foreground_map = localizer.generator(features, labels[:, tf.newaxis])
    head = localizer.backbone.head
    logits = masked_logits(head, features, foreground_map, training=training)
    return tf.reduce_sum(losses.foreground_cross_entropy_loss(logits, labels))


def suppression_loss(localizer, images, labels, *, training):
    features, class_maps = localizer.backbone(images, training=False)
    foreground_map = localizer.generator(features, labels[:, tf.newaxis])
    activation = masking.select_score(masking.global_average_pool(class_maps), labels)
    background = background_activation(
        localizer.backbone.head, features, foreground_map, labels, training=training
    )
    return tf.reduce_sum(
        losses.background_activation_suppression_loss(
            activation, background, background_wins="gradient"
        )
    )


@pytest.mark.parametrize("objective", [suppression_loss, cross_entropy_loss])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("in_graph", [False, True])
def test_gradient_reaches_generator_and_trunk_but_no_head_weight(
    localizer, images, objective, training, in_graph
):
    labels = tf.constant([0, 1, 2])
    head, trunk = localizer.backbone.head, localizer.backbone.trunk
    head.layers[-1].convolutions[-1].bias.assign([1.0] * 5)  # class maps alive
    before = [v.numpy() for v in head.non_trainable_variables]

    def gradients():
        with tf.GradientTape() as tape:
            loss = objective(localizer, images, labels, training=training)
        return tape.gradient(
            loss,
            [
                head.trainable_variables,
                trunk.trainable_variables,
                localizer.generator.trainable_variables,
            ],
        )

    to_head, to_trunk, to_generator = (
        tf.function(gradients) if in_graph else gradients
    )()
    assert all(gradient is None for gradient in to_head)
    assert max(np.abs(g).max() for g in to_trunk) > 0
    assert all(np.abs(tf.convert_to_tensor(g)).max() > 0 for g in to_generator)
    for variable, value in zip(head.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_features_get_no_direct_gradient(localizer, images):
    features = localizer.backbone.trunk(images)
    foreground_map = tf.fill([3, *features.shape[1:3], 1], 0.5)
    with tf.GradientTape() as tape:
        tape.watch([features, foreground_map])
        value = background_activation(
            localizer.backbone.head, features, foreground_map,
            tf.constant([0, 1, 2]), training=False,
        )  # fmt: skip
    to_features, to_map = tape.gradient(value, [features, foreground_map])
    assert to_features is None
    assert np.abs(to_map).max() > 0


def test_nothing_hidden_gives_the_activation_itself(localizer, images):
    labels = tf.constant([4, 1, 2])
    features, class_maps = localizer.backbone(images, training=False)
    value = background_activation(
        localizer.backbone.head, features, tf.zeros([3, *features.shape[1:3], 1]),
        labels, training=False,
    )  # fmt: skip
    expected = masking.select_score(masking.global_average_pool(class_maps), labels)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_the_foregrounds_scores_are_the_heads_of_the_masked_features(
    localizer, images, rng
):
    features = localizer.backbone.trunk(images, training=False)
    mask = rng.uniform(size=[3, *features.shape[1:3], 1]).astype(np.float32)
    head = localizer.backbone.head
    logits = masked_logits(head, features, tf.constant(mask), training=False)
    class_maps = head(features.numpy() * mask, training=False).numpy()
    np.testing.assert_allclose(logits, class_maps.mean(axis=(1, 2)), rtol=1e-5)
