"""The localizer: backbone and foreground generator, composed."""

import keras
import tensorflow as tf

from bas_tf import names
from bas_tf.errors import UserError, check_choice
from bas_tf.models import backbones
from bas_tf.models.batch_norm import synchronize_batch_norm
from bas_tf.models.foreground_generator import ForegroundGenerator
from bas_tf.ops import masking
from bas_tf.ops.precision import at_least_float32


class Localizer(keras.Model):
    """Classifies an image and maps its foreground (paper, figure 3).

    Args:
      backbone: a model with `trunk` and `head` that returns (F, A).
      generator: the foreground generator on F.
      backbone_name: the backbone's key of `backbones.BACKBONES`.
      top_k: how many predicted classes' maps are averaged at inference; at most the
        number of classes is used.
    """

    def __init__(
        self,
        backbone: keras.Model,
        generator: ForegroundGenerator,
        *,
        backbone_name: str,
        top_k: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.generator = generator
        self.num_classes = generator.num_classes
        self.top_k = min(top_k, self.num_classes)
        self.backbone_name = backbone_name

    def call(self, images, training=False):
        """A label-free pass.

        Args:
          images: [batch, height, width, 3] uint8 or float32 in 0..255; height and
            width multiples of 32.

        Returns:
          names.FEATURES, CLASS_MAPS, LOGITS, LOCALIZATION_MAP and CAM (the class map
          of the best class) as described in `bas_tf.names`.
        """
        features, class_maps = self.backbone(images, training=training)
        logits = masking.global_average_pool(class_maps)
        _, best = tf.math.top_k(logits, k=self.top_k)  # [batch, k]
        return {
            names.FEATURES: features,
            names.CLASS_MAPS: class_maps,
            names.LOGITS: logits,
            names.LOCALIZATION_MAP: self._mean_map(features, best),
            names.CAM: at_least_float32(masking.select_class(class_maps, best[:, 0])),
        }

    def localize_class(self, images, class_ids):
        """The foreground map of a given class: trunk and one kernel, no head.

        Args:
          images: as in `call`.
          class_ids: [batch] int.

        Returns:
          [batch, h, w, 1] float32 in [0, 1].
        """
        features = self.backbone.trunk(images, training=False)
        return self.generator(features, class_ids[:, tf.newaxis])

    def _mean_map(self, features, class_ids):
        if class_ids.shape[1] == self.num_classes:
            maps = self.generator(features)
        else:
            maps = self.generator(features, class_ids)
        return masking.top_k_mean(maps)


def build_localizer(
    *,
    backbone: str,
    num_classes: int,
    input_size_wh: tuple[int, int],
    classifier: dict | None = None,
    normalize_generator_input: bool = False,
    top_k: int = 1,
    backbone_options: dict | None = None,
    synchronized_batch_norm: bool = False,
) -> Localizer:
    """Builds a localizer with fresh weights.

    Args:
      backbone: a key of `backbones.BACKBONES`.
      num_classes: classes.
      input_size_wh: width and height of the images it will mostly see; multiples of
        32. Other multiples of 32 work too.
      classifier: options of `blocks.Classifier` (variant, final_relu, width).
      normalize_generator_input: see `ForegroundGenerator`.
      top_k: see `Localizer`.
      backbone_options: more options of the backbone, as {"width": 0.5}.
      synchronized_batch_norm: see `batch_norm.synchronize_batch_norm`.

    Raises:
      UserError: unknown backbone, or a size that is not a multiple of 32.
    """
    check_choice("model.backbone", backbone, backbones.BACKBONES)
    width, height = input_size_wh
    if width % 32 or height % 32 or min(width, height) < 32:
        raise UserError(
            f"data.crop_size is {width}x{height}; both must be multiples of 32"
        )
    network = backbones.BACKBONES[backbone](
        num_classes=num_classes,
        classifier=classifier or {},
        name="backbone",
        **(backbone_options or {}),
    )
    generator = ForegroundGenerator(
        num_classes,
        normalize_input=normalize_generator_input,
        name="foreground_generator",
    )
    localizer = Localizer(
        network, generator, backbone_name=backbone, top_k=top_k, name="localizer"
    )
    localizer(tf.zeros([1, height, width, 3]))  # creates the variables
    if synchronized_batch_norm:
        synchronize_batch_norm(localizer)
    return localizer
