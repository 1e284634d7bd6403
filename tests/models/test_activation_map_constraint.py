"""The frozen pass: who gets a gradient of it and who does not (section 3.2)."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses
from bas_tf.models.activation_map_constraint import background_activation
from bas_tf.models.bas_terms import bas_terms
from bas_tf.ops import masking


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("in_graph", [False, True])
def test_gradient_reaches_generator_and_trunk_but_no_head_weight(
    localizer, images, objective, training, in_graph
):
    labels = tf.constant([0, 1, 2])
    head, trunk = localizer.backbone.head, localizer.backbone.trunk
    head.layers[-1].convolutions[-1].bias.assign([1.0] * 5)  # class maps alive

    def gradients():
        with tf.GradientTape() as tape:
            terms = bas_terms(
                localizer, images, labels, objective=objective,
                background_wins="gradient", batch_statistics=training,
            )  # fmt: skip
            loss = tf.reduce_sum(terms[losses.objective_term(objective)])
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


def test_the_frozen_pass_leaves_the_moving_statistics(localizer, images):
    head, features = localizer.backbone.head, localizer.backbone.trunk(images)
    before = [v.numpy() for v in head.non_trainable_variables]
    kept = tf.fill([3, *features.shape[1:3], 1], 0.5)
    background_activation(head, features, kept, tf.constant([0, 1, 2]), training=True)
    assert before
    for variable, value in zip(head.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_nothing_hidden_gives_the_activation_itself(localizer, images):
    labels = tf.constant([4, 1, 2])
    features, class_maps = localizer.backbone(images, training=False)
    value = background_activation(
        localizer.backbone.head, features, tf.zeros([3, *features.shape[1:3], 1]),
        labels, training=False,
    )  # fmt: skip
    expected = masking.select_score(masking.global_average_pool(class_maps), labels)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
