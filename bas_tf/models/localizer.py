"""The localizer: backbone and foreground generator, composed."""

import keras
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.errors import UserError, check_choice
from bas_tf.models import backbones, bas_terms
from bas_tf.models.batch_norm import synchronize_batch_norm
from bas_tf.models.convolution import speed_up_gradients
from bas_tf.models.foreground_generator import SIGMOID, ForegroundGenerator
from bas_tf.ops import masking
from bas_tf.ops.precision import at_least_float32


@keras.saving.register_keras_serializable("bas_tf")
class Localizer(keras.Model):
    """Classifies an image and maps its foreground (paper, figure 3).

    `build_localizer` makes one; it can be saved as .keras, which `bas_tf.from_preset`
    and `keras.saving.load_model` load. `compile` and `fit` train it by the method in
    one process, on several devices under MirroredStrategy. Several machines, exact
    resuming and the paper's rates of each group are for `bas_tf.train` alone.

    Args:
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
        self._built_by = None  # the arguments of `build_localizer`

    def build(self, input_shape):
        """From shapes alone: Keras would trace `call`, and each network's in turn."""
        self.backbone.build(input_shape)
        self.generator.build(self.backbone.trunk.output_shape)
        self.built = True

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

    def get_config(self):
        """The arguments of `build_localizer`.

        Raises:
          NotImplementedError: it was not made by that function.
        """
        if self._built_by is None:
            raise NotImplementedError("made without build_localizer: save its weights")
        return dict(self._built_by)

    @classmethod
    def from_config(cls, config):
        return build_localizer(**config)

    def compile(
        self,
        optimizer="sgd",
        *,
        alpha: float = 0.5,
        beta: float = 1.5,
        objective: str = "bas",
        background_wins: str = "zero",
        batch_statistics: bool = True,
        classifier_alone: bool = False,
        **kwargs,
    ):
        """Prepares `fit` on batches of (images, labels [batch] int).

        Args:
          alpha, beta: weights of the foreground and the area term.
          objective, background_wins, batch_statistics: see `bas_terms.bas_terms`.
          classifier_alone: leaves the generator's terms out, as the first epochs of
            most configs do; compile again without it for the others.
          **kwargs: of keras.Model.compile; losses and metrics are the method's.
        """
        super().compile(optimizer=optimizer, **kwargs)
        speed_up_gradients(self)
        self._weights = {"alpha": alpha, "beta": beta, "objective": objective}
        self._terms_options = {
            "objective": objective,
            "background_wins": background_wins,
            "batch_statistics": batch_statistics,
        }
        self._classifier_alone = classifier_alone

    def train_step(self, data):
        """One step of the method; returns the means of the four losses and the sum."""
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            if self._classifier_alone:
                objective = self._terms_options["objective"]
                terms = bas_terms.classifier_terms(
                    self, images, labels, objective=objective
                )
            else:
                terms = bas_terms.bas_terms(self, images, labels, **self._terms_options)
            loss = tf.reduce_mean(losses.weighted_sum(terms, **self._weights))
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = loss / tf.cast(replicas, loss.dtype)  # replicas' gradients add up
        gradients = tape.gradient(scaled, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients((g, v) for g, v in pairs if g is not None)
        means = {n: tf.reduce_mean(v) for n, v in terms.items() if n.endswith("_loss")}
        return {"loss": loss, **means}

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
    head_biases: bool = True,
    normalize_generator_input: bool = False,
    map_outputs: str = SIGMOID,
    top_k: int = 1,
    backbone_options: dict | None = None,
    synchronized_batch_norm: bool = False,
) -> Localizer:
    """Builds a localizer with fresh weights.

    Args:
      backbone: a key of `backbones.BACKBONES`.
      input_size_wh: width and height of the images it will mostly see; multiples of
        32. Other multiples of 32 work too.
      classifier: options of `blocks.Classifier` (variant, final_relu, width).
      head_biases: whether the class maps and the generator have a bias.
      normalize_generator_input, map_outputs: see `ForegroundGenerator`.
      top_k: see `Localizer`.
      backbone_options: more options of the backbone, as {"width": 0.5}.
      synchronized_batch_norm: see `batch_norm.synchronize_batch_norm`.

    Raises:
      UserError: unknown backbone or map outputs, or a size that is no multiple of 32.
    """
    built_by = {**locals(), "input_size_wh": list(input_size_wh)}
    del built_by["synchronized_batch_norm"]  # of a training, not of the network
    check_choice("model.backbone", backbone, backbones.BACKBONES)
    width, height = input_size_wh
    if width % 32 or height % 32 or min(width, height) < 32:
        raise UserError(
            f"data.crop_size is {width}x{height}; both must be multiples of 32"
        )
    network = backbones.BACKBONES[backbone](
        num_classes=num_classes,
        classifier={**(classifier or {}), "use_bias": head_biases},
        name="backbone",
        **(backbone_options or {}),
    )
    generator = ForegroundGenerator(
        num_classes,
        normalize_input=normalize_generator_input,
        use_bias=head_biases,
        map_outputs=map_outputs,
        name="foreground_generator",
    )
    localizer = Localizer(
        network, generator, backbone_name=backbone, top_k=top_k, name="localizer"
    )
    localizer._built_by = built_by
    localizer.build((1, height, width, 3))  # creates the variables
    if synchronized_batch_norm:
        synchronize_batch_norm(localizer)
    return localizer
