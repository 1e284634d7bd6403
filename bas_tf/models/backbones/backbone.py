"""What every backbone is: a trunk at stride 8 (or 16), a head at stride 16."""

from collections.abc import Sequence

import keras

from bas_tf.models import blocks
from bas_tf.models.input_scaling import input_scaling

CLASS_MAP_STRIDE = 16


class Head(keras.Sequential):
    """f2: layers at stride 16, then the classifier (section 3.1)."""

    def call(self, inputs, class_ids=None, training=False):
        """F -> A: all class maps, or one of each example, see `Classifier.call`."""
        *body, classifier = self.layers
        for layer in body:
            inputs = layer(inputs, training=training)
        return classifier(inputs, class_ids=class_ids)


class Backbone(keras.Model):
    """A classification network, split for activation map constraint (section 3.1).

    Attributes:
      trunk: f1, pixels 0..255 [batch, height, width, 3] -> F [batch, h, w, channels]
        with h = height / trunk_stride, rectified: hiding multiplies by zero.
      head: f2, F -> class maps A [batch, height / 16, width / 16, classes].

    Args:
      trunk: layers of f1, behind the scaling of pixels.
      head: layers of f2, before the classifier.
      classifier: options of `blocks.Classifier`.
      scaling: a name of `input_scaling`; the weights may bring another.
      variant: which published network's details it has, for the weights to check.
      trunk_stride: 8, or 16 with a head that keeps its size.
    """

    def __init__(
        self,
        trunk: Sequence[keras.layers.Layer],
        head: Sequence[keras.layers.Layer],
        *,
        num_classes: int,
        classifier: dict,
        scaling: str = "torch",
        variant: str = "paper",
        trunk_stride: int = 8,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.variant, self.trunk_stride = variant, trunk_stride
        pixels = blocks.PixelScaling(**input_scaling(scaling), name="scaling")
        last = blocks.Classifier(num_classes, name="classifier", **classifier)
        self.trunk = keras.Sequential([pixels, *trunk], name="trunk")
        self.head = Head([*head, last], name="head")

    def build(self, input_shape):
        self.trunk.build(input_shape)
        self.head.build(self.trunk.output_shape)
        self.built = True

    def call(self, images, training=False):
        """Images -> (F, A); see the attributes."""
        features = self.trunk(images, training=training)
        return features, self.head(features, training=training)

    def set_input_scaling(self, name: str) -> None:
        """Takes over what freshly loaded weights were trained on."""
        scaling, pixels = input_scaling(name), self.trunk.get_layer("scaling")
        pixels.mean.assign(scaling["mean"])
        pixels.std.assign(scaling["std"])
