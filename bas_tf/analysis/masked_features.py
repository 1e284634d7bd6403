"""What a trained classifier says when its features are masked (paper, figure 1)."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from bas_tf import losses
from bas_tf.analysis import mask_areas
from bas_tf.analysis.activation_curves import Responses
from bas_tf.models.localizer import Localizer
from bas_tf.ops import masking

MaskedLogitsFn = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Example = tuple[np.ndarray, np.ndarray, int]


def make_masked_logits_fn(localizer: Localizer) -> MaskedLogitsFn:
    """Scores of one image under many masks on F: one pass of the trunk.

    Moving statistics are used.

    Returns:
      image [height, width, 3] in 0..255, masks bool [n, height, width] -> two arrays
      [n, classes] float32, GAP(f2(F * m)) and GAP(f2(F * (1 - m))), where m in [0, 1]
      is the mask averaged over each pixel of F.
    """
    trunk, head = localizer.backbone.trunk, localizer.backbone.head

    @tf.function(autograph=False)
    def features_of(image):
        return trunk(image[tf.newaxis], training=False)

    # Called for foreground and background in turn: half the memory of one batch.
    @tf.function(autograph=False)
    def logits_of(features, weights):
        class_maps = head(features * weights, training=False)
        return masking.global_average_pool(class_maps)

    def masked_logits(image: np.ndarray, masks: np.ndarray):
        features = features_of(tf.constant(image))  # [1, h, w, channels]
        weights = average_masks(masks, features.shape[1:3])
        foreground, background = (
            logits_of(features, tf.cast(w, features.dtype)).numpy()
            for w in (weights, masking.background_map(weights))
        )
        return foreground, background

    return masked_logits


def average_masks(masks: np.ndarray, size_hw: Sequence[int]) -> np.ndarray:
    """Covered share of each pixel of a coarser grid: float32 [n, h, w, 1] in [0, 1].

    Masks are bool [n, height, width]; h and w divide height and width.
    """
    (h, w), (n, height, width) = size_hw, masks.shape
    blocks = masks.reshape(n, h, height // h, w, width // w)
    return blocks.mean(axis=(2, 4), dtype=np.float32)[..., np.newaxis]


def respond(
    masked_logits: MaskedLogitsFn, examples: Iterable[Example], shares: np.ndarray
) -> Responses:
    """Runs the classifier under every mask of every image.

    Args:
      examples: (image uint8 [height, width, 3], bool [height, width] true mask with
        pixels of both kinds, label) of each image.
      shares: [n] areas as `mask_areas.masks_of_areas` takes them; the last is the
        whole image.
    """
    rows = []
    for image, is_object, label in examples:
        masks = mask_areas.masks_of_areas(is_object, shares)
        foreground, background = masked_logits(image, masks)
        labels = np.full(len(shares), label, np.int32)
        entropy = losses.classification_loss(foreground, labels).numpy()
        is_known = foreground[-1].argmax() == label
        rows.append((entropy, foreground[:, label], background[:, label], is_known))
    entropies, activations, backgrounds, known = zip(*rows, strict=True)
    return Responses(
        shares=np.asarray(shares, np.float64),
        cross_entropy=np.array(entropies, np.float64),
        activation=np.array(activations, np.float64),
        background_activation=np.array(backgrounds, np.float64),
        is_known=np.array(known, bool),
    )
