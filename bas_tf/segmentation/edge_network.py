"""Edges between classes: a branch on a frozen trunk, and what it is trained by (IRN).

It learns from pairs of cells whose labels are sure: no edge between equal ones, an edge
somewhere between different ones.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from bas_tf.geometry.components import resize_map
from bas_tf.models.input_scaling import INPUT_SCALINGS
from bas_tf.names import UNSURE_LABEL
from bas_tf.ops.precision import at_least_float32
from bas_tf.segmentation.affinity import offsets, path
from bas_tf.segmentation.seeds import STRIDE, bounded

CANVAS = 512
RADIUS = 10  # of the pairs: 152
STAGE_STRIDES = (4, 4, 8, 16, 16)  # of the stem after its pooling, layer1 .. layer4
_EPSILON = 1e-5
_MEAN_PIXEL = INPUT_SCALINGS["torch"][0]


class EdgeBranch(layers.Layer):
    """Edge logits from five stages of a trunk, into which no gradient goes.

    Each stage: 1x1 convolution, group normalisation, bilinear enlargement to stride 4
    and ReLU; then a 1x1 convolution of all.

    Args:
      strides: of the stages.
      width: channels of each stage's part.
      groups: of the normalisation, over the whole canvas.
    """

    def __init__(
        self,
        *,
        strides: tuple[int, ...] = STAGE_STRIDES,
        width: int = 32,
        groups: int = 4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.parts = [
            keras.Sequential(
                [
                    layers.Conv2D(width, 1, use_bias=False, name="conv"),
                    layers.GroupNormalization(groups, epsilon=_EPSILON, name="norm"),
                    layers.UpSampling2D(stride // STRIDE, interpolation="bilinear"),
                    layers.ReLU(),
                ],
                name=f"stage{number}",
            )
            for number, stride in enumerate(strides)
        ]
        self.merge = layers.Conv2D(1, 1, name="merge")

    def build(self, input_shape):
        for part, shape in zip(self.parts, input_shape, strict=True):
            part.build(shape)
        width = self.parts[0].layers[0].filters
        self.merge.build((*input_shape[0][:3], width * len(self.parts)))
        self.built = True

    def call(self, stages):
        """[batch, h_k, w_k, channels_k] each -> logits [batch, h_0, w_0]."""
        _, height, width, _ = stages[0].shape
        parts = [
            part(tf.stop_gradient(stage))[:, :height, :width]
            for part, stage in zip(self.parts, stages, strict=True)
        ]
        return self.merge(tf.concat(parts, axis=-1))[..., 0]


def edge_targets(labels):
    """Confident labels [..., h, w], multiples of 4, at stride 4.

    Picks the third of each four, as Pillow's nearest neighbour does.
    """
    return labels[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def edge_losses(
    logits: tf.Tensor, targets: tf.Tensor, *, radius: int = RADIUS
) -> dict[str, tf.Tensor]:
    """Losses of all pairs of a batch, whose kinds are too rare to average by image.

    Args:
      logits: float [batch, h, w].
      targets: int [batch, h, w]: 0 background, labels, or UNSURE_LABEL.
      radius: of the pairs.

    Returns:
      Scalars: "background" and "foreground", -log of the affinity of equal labels;
      "negative", -log(1 - affinity) of different ones; and "total", their mean in
      which the first two share one half.
    """
    affinity = pair_affinities(tf.sigmoid(at_least_float32(logits)), radius)
    sources, steps = _pairs(targets.shape[1:], radius)
    flat = tf.reshape(targets, [-1, targets.shape[1] * targets.shape[2]])
    source = tf.gather(flat, sources, axis=1)[:, tf.newaxis]
    target = tf.gather(flat, sources + steps[-1], axis=1)
    sure = (source != UNSURE_LABEL) & (target != UNSURE_LABEL)
    equal = sure & (source == target)
    attraction = -tf.math.log(affinity + _EPSILON)
    repulsion = -tf.math.log(1 + _EPSILON - affinity)
    background = _mean(attraction, equal & (source == 0))
    foreground = _mean(attraction, equal & (source != 0))
    negative = _mean(repulsion, sure & (source != target))
    return {
        "background": background,
        "foreground": foreground,
        "negative": negative,
        "total": (background + foreground) / 4 + negative / 2,
    }


def pair_affinities(edge: tf.Tensor, radius: int) -> tf.Tensor:
    """Affinities of all pairs whose sources have every pair inside the grid.

    The strongest edge of each path is found first and only that one is gathered, so
    the backward pass keeps one value a pair, not the whole path.

    Args:
      edge: float [batch, h, w] in [0, 1], of static h and w.
      radius: of the pairs.

    Returns:
      [batch, offsets, h - radius + 1, w - 2 (radius - 1)] in [0, 1].
    """
    _, height, width = edge.shape
    sources, steps = _pairs((height, width), radius)
    flat = tf.reshape(edge, [-1, height * width])
    values = tf.stop_gradient(flat)
    strongest, highest = tf.constant(0), -np.inf
    for step in steps:
        cells = sources + step
        found = tf.gather(values, cells, axis=1)
        stronger = found > highest
        strongest = tf.where(stronger, cells, strongest)
        highest = tf.where(stronger, found, highest)
    return 1 - tf.gather(flat, strongest, batch_dims=1)


def _pairs(size_hw: tuple[int, int], radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Sources of pairs, as numbers of cells, and the steps along their paths.

    Returns:
      int32 [h - radius + 1, w - 2 (radius - 1)], and [longest, offsets, 1, 1]: shorter
      paths stay at their end.
    """
    height, width = size_hw
    cells = np.arange(height * width, dtype=np.int32).reshape(height, width)
    sources = cells[: height - radius + 1, radius - 1 : width - radius + 1]
    paths = [
        [dy * width + dx for dy, dx in [*path(offset), offset]]
        for offset in offsets(radius)
    ]
    longest = max(map(len, paths))
    steps = [way + way[-1:] * (longest - len(way)) for way in paths]
    return sources, np.array(steps, np.int32).T[..., np.newaxis, np.newaxis]


def _mean(values: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    where = tf.cast(where, values.dtype)
    return tf.reduce_sum(values * where) / (tf.reduce_sum(where) + _EPSILON)


def edge_map(
    photo: np.ndarray,
    network: Callable[[np.ndarray], np.ndarray],
    *,
    canvas: int = CANVAS,
    fill: tuple[float, float, float] = _MEAN_PIXEL,
) -> np.ndarray:
    """Edges of a photo: the mean of its logits and those of its mirror image.

    The canvas takes part in the group normalisation: use that of the training.

    Args:
      photo: uint8 [height, width, 3]; one longer than the canvas is made smaller.
      network: images float32 [2, canvas, canvas, 3] in 0..255 -> logits
        [2, canvas / 4, canvas / 4].
      canvas: side of the network's input, a multiple of 16.
      fill: pixel to the right of the photo and below, which the network scales to 0.

    Returns:
      float32 [ceil(height / 4), ceil(width / 4)] in [0, 1].
    """
    full_wh = tuple(-(-side // STRIDE) for side in photo.shape[1::-1])
    image = bounded(photo, canvas)
    size_wh = image.shape[1::-1]
    images = np.empty([2, canvas, canvas, 3], np.float32)
    images[:] = fill
    images[:, : size_wh[1], : size_wh[0]] = image, image[:, ::-1]
    columns, rows = (-(-side // STRIDE) for side in size_wh)
    straight, mirrored = np.asarray(network(images))[:, :rows, :columns]
    edge = 1 / (1 + np.exp(-(straight + mirrored[:, ::-1]) / 2))
    return resize_map(edge, full_wh)
