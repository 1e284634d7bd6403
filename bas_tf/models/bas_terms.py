"""The method on one screen: one training step of Background Activation Suppression."""

import keras
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.models.activation_map_constraint import background_activation, masked_logits
from bas_tf.models.backbones.backbone import CLASS_MAP_STRIDE
from bas_tf.ops import masking


def bas_terms(
    localizer: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    masks: tf.Tensor | None = None,
    present: tf.Tensor | None = None,
    *,
    background_wins: str,
    objective: str = "bas",
    batch_statistics: bool = True,
    frg_stops_class_maps: bool = False,
) -> dict[str, tf.Tensor]:
    """The four losses of a batch, [batch] each, and the scores S (section 3.2).

    L_bas and L_ac reach the generator, and through M_y the trunk; L_bas reaches
    neither F directly nor the head. L_frg reaches everything. L_ce, the baseline of
    the ablation, takes the place of L_bas and reaches what it reaches.

    Args:
      localizer: the `Localizer` in training.
      images, labels: [batch, height, width, 3] in 0..255; [batch] int.
      masks: pseudo-masks; adds MASK_LOSS and HAS_MASK, see `losses.mask_loss`.
      present: names.PRESENT, of which `labels` is one each; L_mcls replaces L_cls.
      background_wins, objective: see `losses`, which refuses unknown ones.
      batch_statistics: True, as the paper: BatchNorm normalises by each batch, in the
        frozen pass by its own. False: by the moving statistics of the classifier's
        epochs, so that a background pass cannot rescale what is left of it.
      frg_stops_class_maps: L_frg trains M_y alone, not the classifier (extension).

    Returns:
      The losses, names.LOGITS, FOREGROUND_LOGITS (of the classifier on the foreground
      alone), FOREGROUND_MAP M_y, ACTIVATION S_y; with "bas" BACKGROUND_ACTIVATION.
    """
    features, class_maps = localizer.backbone(images, training=batch_statistics)
    logits = masking.global_average_pool(class_maps)
    foreground_map = localizer.generator(
        features, labels[:, tf.newaxis], training=True
    )  # M_y, [batch, h, w, 1]
    # TensorFlow adds three gradients in whichever order their buffers become free, but
    # two always alike: nobody has more than two users.
    seen_map = tf.identity(foreground_map)
    guided = tf.stop_gradient(class_maps) if frg_stops_class_maps else class_maps
    foreground_logits = _foreground_logits(localizer, guided, seen_map)
    activation = masking.select_score(logits, labels)
    return {
        names.CLASSIFICATION_LOSS: _classification_loss(logits, labels, present),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: losses.foreground_region_guidance_loss(
            foreground_logits, labels
        ),
        **_area_terms(seen_map, masks),
        names.LOGITS: logits,
        names.FOREGROUND_LOGITS: foreground_logits,
        names.FOREGROUND_MAP: foreground_map,
        names.ACTIVATION: activation,
        **_objective_terms(
            (localizer.backbone.head, features, foreground_map), labels, activation,
            objective, background_wins, batch_statistics,
        ),
    }  # fmt: skip


def _foreground_logits(localizer, class_maps, foreground_map) -> tf.Tensor:
    """What the classifier says of the foreground alone: [batch, classes]."""
    if localizer.backbone.trunk_stride < CLASS_MAP_STRIDE:
        foreground_map = masking.average_pool_2x2(foreground_map)
    seen = class_maps * tf.cast(foreground_map, class_maps.dtype)
    return masking.global_average_pool(seen)


def _area_terms(foreground_map, masks) -> dict[str, tf.Tensor]:
    if masks is None:
        return {names.AREA_CONSTRAINT_LOSS: losses.area_constraint_loss(foreground_map)}
    foreground_map = tf.identity(foreground_map)  # for its two users
    area = losses.area_constraint_loss(foreground_map)
    loss, has_mask = losses.mask_loss(foreground_map, masks)
    return {
        names.AREA_CONSTRAINT_LOSS: area,
        names.MASK_LOSS: loss,
        names.HAS_MASK: has_mask,
    }


def _objective_terms(
    frozen_pass, labels, activation, objective, background_wins, batch_statistics
) -> dict[str, tf.Tensor]:
    """L_bas with S^b_y, or L_ce, of the frozen head (see `masked_logits`)."""
    term = losses.objective_term(objective)
    if objective == "ce":
        seen = masked_logits(*frozen_pass, training=batch_statistics)
        return {term: losses.foreground_cross_entropy_loss(seen, labels)}
    suppressed = background_activation(*frozen_pass, labels, training=batch_statistics)
    loss = losses.background_activation_suppression_loss(
        activation, suppressed, background_wins=background_wins
    )
    return {names.BACKGROUND_ACTIVATION: suppressed, term: loss}


def terms_of_positives(
    localizer: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    masks: tf.Tensor | None = None,
    present: tf.Tensor | None = None,
    *,
    positives: str = "one",
    **options,
) -> dict[str, tf.Tensor]:
    """`bas_terms`; with "all" positives the mean of those of each class of a photo.

    Each photo has one at least then. BatchNorm sees it as often as it has classes.
    """
    if positives == "one":
        return bas_terms(localizer, images, labels, masks, present, **options)
    photos, labels = tf.unstack(tf.cast(tf.where(present), tf.int32), axis=1)
    images, repeated = tf.gather(images, photos), tf.gather(present, photos)
    terms = bas_terms(localizer, images, labels, present=repeated, **options)
    count = tf.shape(present)[0]
    return {
        name: tf.math.unsorted_segment_mean(term, photos, count)
        for name, term in terms.items()
    }


def classifier_terms(
    localizer: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    present: tf.Tensor | None = None,
    *,
    objective: str = "bas",
) -> dict[str, tf.Tensor]:
    """The terms of the epochs that train the classifier alone: the others are 0."""
    _, class_maps = localizer.backbone(images, training=True)
    logits = masking.global_average_pool(class_maps)
    classification = _classification_loss(logits, labels, present)
    return {
        names.CLASSIFICATION_LOSS: classification,
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.zeros_like(classification),
        names.AREA_CONSTRAINT_LOSS: tf.zeros_like(classification),
        losses.objective_term(objective): tf.zeros_like(classification),
        names.LOGITS: logits,
    }


def label_map_terms(
    localizer: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    masks: tf.Tensor,
    present: tf.Tensor | None = None,
    *,
    batch_statistics: bool = True,
) -> dict[str, tf.Tensor]:
    """The terms of a network that learns label maps: L_cls or L_mcls, and L_seg.

    Args:
      localizer: with map outputs "softmax".
      images, labels, present, batch_statistics: see `bas_terms`.
      masks: label maps, see `losses.label_map_loss`.
    """
    features, class_maps = localizer.backbone(images, training=batch_statistics)
    logits = masking.global_average_pool(class_maps)
    pixel_logits = localizer.generator.logits(features, training=True)
    return {
        names.CLASSIFICATION_LOSS: _classification_loss(logits, labels, present),
        names.LABEL_MAP_LOSS: losses.label_map_loss(pixel_logits, masks),
        names.LOGITS: logits,
    }


def _classification_loss(logits, labels, present) -> tf.Tensor:
    if present is None:
        return losses.classification_loss(logits, labels)
    return losses.multilabel_classification_loss(logits, present)
