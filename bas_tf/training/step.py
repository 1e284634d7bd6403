"""The method on one screen: one training step of Background Activation Suppression."""

import tensorflow as tf

from bas_tf import losses, names
from bas_tf.models.activation_map_constraint import background_activation
from bas_tf.models.localizer import Localizer
from bas_tf.ops import masking


def bas_terms(
    localizer: Localizer,
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    background_wins: str,
    training: bool = True,
) -> dict[str, tf.Tensor]:
    """The four losses of a batch, [batch] each, and the maps they come from.

    L_bas and L_ac reach the generator, and through M_y the trunk; L_bas reaches
    neither F directly nor the head. L_frg reaches everything (section 3.2).
    """
    features, class_maps = localizer.backbone(images, training=training)
    logits = masking.global_average_pool(class_maps)
    foreground_map = localizer.generator(
        features, labels[:, tf.newaxis], training=training
    )  # M_y, [batch, h, w, 1]
    halved = tf.cast(masking.average_pool_2x2(foreground_map), class_maps.dtype)
    foreground_logits = masking.global_average_pool(class_maps * halved)
    activation = masking.select_score(logits, labels)
    suppressed = background_activation(
        localizer.backbone.head, features, foreground_map, labels, training=training
    )
    return {
        names.CLASSIFICATION_LOSS: losses.classification_loss(logits, labels),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: losses.foreground_region_guidance_loss(
            foreground_logits, labels
        ),
        names.AREA_CONSTRAINT_LOSS: losses.area_constraint_loss(foreground_map),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: (
            losses.background_activation_suppression_loss(
                activation, suppressed, background_wins=background_wins
            )
        ),
        names.LOGITS: logits,
    }


def classifier_terms(
    localizer: Localizer, images: tf.Tensor, labels: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The terms of the epochs that train the classifier alone: the others are 0."""
    _, class_maps = localizer.backbone(images, training=True)
    logits = masking.global_average_pool(class_maps)
    classification = losses.classification_loss(logits, labels)
    return {
        names.CLASSIFICATION_LOSS: classification,
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.zeros_like(classification),
        names.AREA_CONSTRAINT_LOSS: tf.zeros_like(classification),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: tf.zeros_like(classification),
        names.LOGITS: logits,
    }
