"""Frames of any size in, boxes in their pixels out: what an edge file needs for that.

A resizing in front of the network and a scaling of the boxes behind it, both of
operators that LiteRT has.
"""

import tensorflow as tf

from bas_tf import names
from bas_tf.export.artifacts.signatures import PIXELS, box_scale, graph_function

BOX_SCALE = "box_scale"  # between the parts of a file: float32 [1, 4]


def resized_pixels(images: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """Bilinear, antialiased, rounded to whole pixels: as Pillow within one level.

    Two matrix products, which LiteRT has where it has no antialiased resizing: uint8
    [1, H, W, 3], H and W known when it runs -> uint8 [1, height, width, 3].
    """
    (height, width), sent = size_hw, tf.shape(images)
    rows, columns = _weights(sent[1], height), _weights(sent[2], width)
    lines = tf.reshape(tf.cast(images, tf.float32), [sent[1], sent[2] * 3])
    lines = tf.reshape(rows @ lines, [height, sent[2], 3])
    resized = columns[tf.newaxis] @ lines  # [height, width, 3]
    return tf.cast(tf.round(resized), tf.uint8)[tf.newaxis]


def _weights(sent: tf.Tensor, wanted: int) -> tf.Tensor:
    """How much each of `sent` pixels counts in each wanted one: [wanted, sent]."""
    scale = tf.cast(sent, tf.float32) / wanted
    centres = (tf.range(wanted, dtype=tf.float32) + 0.5) * scale
    pixels = tf.cast(tf.range(sent), tf.float32) + 0.5
    distance = tf.abs(pixels[tf.newaxis] - centres[:, tf.newaxis])
    weights = tf.maximum(1.0 - distance / tf.maximum(scale, 1.0), 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def resizing(size_hw: tuple[int, int]):
    """A tf.function: IMAGES uint8 [1, H, W, 3] -> PIXELS [1, h, w, 3] and BOX_SCALE.

    The whole frame is seen, aspect not kept, as in training.
    """
    spec = tf.TensorSpec([1, None, None, 3], tf.uint8, name=names.IMAGES)

    def serve(images):
        return {
            PIXELS: resized_pixels(images, size_hw),
            BOX_SCALE: box_scale(tf.shape(images)[tf.newaxis, 2:0:-1], size_hw),
        }

    return graph_function(serve, [spec])


def scaling():
    """A tf.function: BOXES in network pixels and BOX_SCALE -> BOXES in frame pixels."""
    boxes = tf.TensorSpec([1, 4], tf.float32, name=names.BOXES)
    scale = tf.TensorSpec([1, 4], tf.float32, name=BOX_SCALE)

    def serve(boxes, box_scale):
        return {names.BOXES: boxes * box_scale}

    return graph_function(serve, [boxes, scale])
