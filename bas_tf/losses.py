"""The loss terms of the method and their weighted sum (paper, sections 3.2 and 3.3).

Each is [batch] float32, >= 0; logits are [batch, classes] float32, labels [batch] int.
The journal extension differs in `background_wins`. The generator's objective is L_bas,
or L_ce, the baseline of the paper's ablation.
"""

import tensorflow as tf

from bas_tf import names
from bas_tf.errors import check_choice

EPSILON = 1e-8
MASKED_WEIGHT = 0.25  # of L_bas where a pseudo-mask says what is object
FINER = 4  # times a map's size, at which it is compared with a mask
CLASSIFICATIONS = ("single", "multilabel")
POSITIVES = ("one", "all")
BACKGROUND_WINS = {"zero": 0.0, "one": 1.0, "gradient": None}
OBJECTIVES = {  # of the generator, each with its term
    "bas": names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS,
    "ce": names.FOREGROUND_CROSS_ENTROPY_LOSS,
}


def classification_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """L_cls = CE(S, y)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def multilabel_classification_loss(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """L_mcls = sum_p log(1 + sum_n exp(S_n - S_p)), p present and n absent classes.

    Each present class against the absent ones alone (journal extension). With one
    present class it is L_cls; without any, or without an absent one, it is 0.

    Args:
      logits: S.
      present: [batch, classes], 1 for each class in the image, else 0.
    """
    present = tf.cast(present, tf.bool)
    lowest = logits.dtype.min / 2  # not -inf, whose gradient is NaN
    absent = tf.reduce_logsumexp(tf.where(present, lowest, logits), axis=1)
    margins = tf.nn.softplus(absent[:, tf.newaxis] - logits)
    return tf.reduce_sum(tf.where(present, margins, 0), axis=1)


def foreground_region_guidance_loss(
    foreground_logits: tf.Tensor, labels: tf.Tensor
) -> tf.Tensor:
    """L_frg = CE(GAP(A avgpool2x2(M_y)), y): classify from the foreground alone."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, foreground_logits)


def area_constraint_loss(foreground_map: tf.Tensor) -> tf.Tensor:
    """L_ac = mean(M_y): [batch, h, w, 1] in [0, 1] -> [batch] in [0, 1]."""
    return tf.reduce_mean(foreground_map, axis=[1, 2, 3])


def background_activation_suppression_loss(
    activation: tf.Tensor,
    background_activation: tf.Tensor,
    *,
    background_wins: str = "zero",
) -> tf.Tensor:
    """L_bas = S^b_y / (stop(S_y) + 1e-8), a constant where S^b_y >= S_y.

    Both activations go through a ReLU first. This changes nothing if the class maps end
    in one, and is what the journal extension does if they do not.

    Args:
      activation: S_y, [batch] float32. No gradient reaches it.
      background_activation: S^b_y, [batch] float32.
      background_wins: the value where S^b_y >= S_y: "zero" (paper) or "one" (journal
        extension, VGG16 aside), constants without gradient; "gradient" keeps the ratio
        itself, so a map that hides nothing still has a gradient to hide something.

    Raises:
      UserError: an unknown `background_wins`.
    """
    constant = background_constant(background_wins)
    activation = tf.stop_gradient(tf.nn.relu(activation))
    ratio = tf.nn.relu(background_activation) / (activation + EPSILON)
    if constant is None:
        return ratio
    wins = background_activation >= activation
    return tf.where(wins, tf.constant(constant, ratio.dtype), ratio)


def background_constant(background_wins: str) -> float | None:
    """The constant that replaces the ratio, None to keep it; UserError if unknown."""
    check_choice("loss.background_wins", background_wins, BACKGROUND_WINS)
    return BACKGROUND_WINS[background_wins]


def foreground_cross_entropy_loss(
    foreground_logits: tf.Tensor, labels: tf.Tensor
) -> tf.Tensor:
    """L_ce = CE(GAP(f2*(stop(F) M_y)), y): the baseline that L_bas replaces."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, foreground_logits)


def mask_loss(
    foreground_map: tf.Tensor, masks: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """L_mask = BCE + 1 - Dice of M_y and a pseudo-mask, on the pixels that are sure.

    Both are compared at FINER times the map's size: the map resized bilinearly, the
    mask by the mean of its sure pixels.

    Args:
      foreground_map: M_y, [batch, h, w, 1] float32 in [0, 1].
      masks: [batch, height, width, 1] uint8, of a multiple of FINER h x FINER w: 255
        object, 0 background, anything between is unsure.

    Returns:
      The loss, 0 without a mask, and whether an example has one, [batch] bool.
    """
    size = [FINER * side for side in foreground_map.shape[1:3]]
    window = [masks.shape[1] // size[0], masks.shape[2] // size[1]]
    is_object = tf.cast(tf.equal(masks, 255), tf.float32)
    is_sure = is_object + tf.cast(tf.equal(masks, 0), tf.float32)
    objects, weights = (
        tf.nn.avg_pool2d(x, window, window, "VALID") for x in (is_object, is_sure)
    )
    target = tf.math.divide_no_nan(objects, weights)
    scores = tf.image.resize(foreground_map, size)

    def total(values):
        return tf.reduce_sum(values, axis=[1, 2, 3])

    # Nothing has more than two users, see `bas_terms`.
    sure_scores, scores = weights * scores, tf.identity(scores)
    # Not 1 - scores + EPSILON: a graph adds the constants first, and 1 + EPSILON is 1.
    entropy = -target * tf.math.log(tf.maximum(scores, EPSILON))
    entropy -= (1 - target) * tf.math.log(tf.maximum(1 - scores, EPSILON))
    entropy = tf.math.divide_no_nan(total(weights * entropy), total(weights))
    both = 2 * total(target * sure_scores)
    dice = (both + 1) / (total(weights * target) + total(sure_scores) + 1)
    has_mask = total(weights) > 0
    return tf.where(has_mask, entropy + 1 - dice, 0.0), has_mask


def label_map_loss(logits: tf.Tensor, label_maps: tf.Tensor) -> tf.Tensor:
    """L_seg = CE + 1 - Dice of a softmax and a label map, on the pixels that are sure.

    CE is the mean over these pixels, Dice over the classes there; 0 if none is sure.
    At FINER times the map's size, as L_mask: logits resized bilinearly, each cell
    against the shares of its pixels' labels: a border inside a cell is worth something.

    Args:
      logits: [batch, h, w, classes + 1] float32, background last.
      label_maps: [batch, height, width, 1] uint8, of a multiple of FINER h x FINER w:
        0 background, k + 1 class k, 255 unsure.
    """
    size = [FINER * side for side in logits.shape[1:3]]
    window = [label_maps.shape[1] // size[0], label_maps.shape[2] // size[1]]
    background = logits.shape[3] - 1
    labels = tf.cast(label_maps[..., 0], tf.int32) - 1
    channels = tf.where(labels < 0, background, labels)
    of_pixels = tf.one_hot(channels, background + 1)  # zeros where unsure
    shares = tf.nn.avg_pool2d(of_pixels, window, window, "VALID")
    log_found = tf.nn.log_softmax(tf.image.resize(logits, size))

    def total(values):
        return tf.reduce_sum(values, axis=[1, 2])  # [batch, classes + 1]

    areas = total(shares)
    entropy = -tf.reduce_sum(total(shares * log_found), axis=1)
    entropy = tf.math.divide_no_nan(entropy, tf.reduce_sum(areas, axis=1))
    found = tf.exp(log_found)
    sure = tf.reduce_sum(shares, axis=3, keepdims=True)
    both, found_areas = total(shares * found), total(sure * tf.identity(found))
    dice = (2 * both + 1) / (areas + found_areas + 1)
    is_there = tf.cast(areas > 0, tf.float32)[:, :background]
    missed = tf.reduce_sum(is_there * (1 - dice[:, :background]), axis=1)
    return entropy + tf.math.divide_no_nan(missed, tf.reduce_sum(is_there, axis=1))


def objective_term(objective: str) -> str:
    """The name of the loss term of a `loss.objective`; UserError if unknown."""
    check_choice("loss.objective", objective, OBJECTIVES)
    return OBJECTIVES[objective]


def weighted_sum(
    terms: dict[str, tf.Tensor],
    *,
    alpha: float,
    beta: float,
    objective: str = "bas",
) -> tf.Tensor:
    """L_cls + alpha L_frg + beta L_ac + L_bas + L_mask, per example: [batch].

    With objective "ce", L_ce replaces L_bas. L_mask is there with pseudo-masks only; it
    replaces L_ac where an example has one, and L_bas counts MASKED_WEIGHT there. With
    label maps it is L_cls + L_seg.
    """
    if names.LABEL_MAP_LOSS in terms:
        return terms[names.CLASSIFICATION_LOSS] + terms[names.LABEL_MAP_LOSS]
    area = beta * terms[names.AREA_CONSTRAINT_LOSS]
    suppression = terms[objective_term(objective)]
    total = (
        terms[names.CLASSIFICATION_LOSS]
        + alpha * terms[names.FOREGROUND_REGION_GUIDANCE_LOSS]
    )
    if names.MASK_LOSS not in terms:
        return total + area + suppression
    masked = terms[names.MASK_LOSS] + MASKED_WEIGHT * suppression
    return total + tf.where(terms[names.HAS_MASK], masked, area + suppression)
