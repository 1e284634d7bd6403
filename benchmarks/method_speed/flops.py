"""Multiply-adds of the method, part by part: convolutions and dense layers alone.

Counted from the layers themselves: each position of an output costs its kernel's
weights, zeros of the padding among them. A gradient by the input costs the forward
pass again, so does one by the weights.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import layers

from bas_tf.models.localizer import Localizer

COUNTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)


@dataclasses.dataclass(frozen=True)
class Parts:
    """Multiply-adds of one image in one forward pass.

    Attributes:
      first: the trunk's first layer; no gradient goes on to the pixels.
      class_maps: the head's last layer, one class map a class.
      one_map: the generator, for the map of one class.
      classes: how many maps there are.
    """

    trunk: int
    head: int
    first: int
    class_maps: int
    one_map: int
    classes: int


def count_parts(localizer: Localizer, size_wh: tuple[int, int]) -> Parts:
    """The parts of a localizer that sees images of a size."""
    width, height = size_wh
    trunk = localizer.backbone.trunk
    in_trunk, features = count_layers(trunk, (1, height, width, 3))
    in_head, _ = count_layers(localizer.backbone.head, features)
    *kernel, classes = localizer.generator.kernel.shape
    return Parts(
        trunk=sum(in_trunk),
        head=sum(in_head),
        first=in_trunk[0],
        class_maps=in_head[-1],
        one_map=math.prod(features[1:3]) * math.prod(kernel),
        classes=classes,
    )


def count_layers(
    model: keras.layers.Layer, input_shape: tuple[int, ...]
) -> tuple[list[int], tuple[int, ...]]:
    """Multiply-adds of each counted layer of a built model, in the order of calls.

    Args:
      input_shape: of a batch of one.

    Returns:
      The counts, and the shape of the model's output.
    """
    with _counting(model) as counts:
        # Without training kernels are folded, and no layer is called for them.
        traced = tf.function(lambda x: model(x, training=True))
        spec = tf.TensorSpec(input_shape, tf.float32)
        outputs = traced.get_concrete_function(spec).outputs
    return counts, tuple(outputs[0].shape)


@contextlib.contextmanager
def _counting(model) -> Iterator[list[int]]:
    """Within, every call of a layer adds its multiply-adds to the list."""
    counts: list[int] = []

    def counted(layer):
        call = layer.call

        def call_and_count(inputs, *args, **kwargs):
            outputs = call(inputs, *args, **kwargs)
            positions = math.prod(outputs.shape[:-1])
            counts.append(positions * math.prod(layer.kernel.shape))
            return outputs

        return call_and_count

    found = [x for x in model._flatten_layers() if isinstance(x, COUNTED)]
    for layer in found:
        layer.call = counted(layer)
    try:
        yield counts
    finally:
        for layer in found:
            del layer.call


def training_work(parts: Parts, *, as_reference: bool) -> int:
    """Multiply-adds of an image in one training step.

    As the reference, generator and background pass compute every class's map, and that
    pass gradients of its weights; else one map, and none.
    """
    whole = 3 * (parts.trunk + parts.head) - parts.first
    if as_reference:
        return whole + 3 * (parts.one_map * parts.classes + parts.head)
    others = parts.class_maps - parts.class_maps // parts.classes
    return whole + 3 * parts.one_map + 2 * (parts.head - others)


def inference_work(parts: Parts, *, as_reference: bool) -> int:
    """As `training_work`, of inference; ours has no background pass."""
    if as_reference:
        return parts.trunk + 2 * parts.head + parts.one_map * parts.classes
    return parts.trunk + parts.head + parts.one_map


COUNTS = {"train": training_work, "inference": inference_work}  # by phase
