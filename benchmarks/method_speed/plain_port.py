"""The reference's arithmetic in TensorFlow, on our layers, losses and optimizer.

Ours computes the label's map alone and treats the second head as a constant. The plain
port does as the reference:

- the generator convolves to one map a class, then the label's is picked;
- the background branch runs on a copy of the head, whose weights get gradients that
  nobody uses. They are assigned to variables: the graph optimizer keeps what is stored,
  and drops what is not;
- at inference the background branch runs too;
- batch normalisation is derived operation by operation, as Keras's is.

Gradients stop at F there, as in the reference.
"""

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from bas_tf import losses, names
from bas_tf.models import batch_norm
from bas_tf.models.localizer import Localizer
from bas_tf.ops import masking
from benchmarks.method_speed import cases, ours


def build(
    *, phase: str, backbone: str, classes: int, size: int, threads: int
) -> dict[str, Callable[[], None]]:
    """As `ours.build`."""
    ours.use_threads(threads)
    config = cases.load_config(backbone, classes, size)
    localizer = ours.build_localizer(config, classes)
    if phase == "train":
        return {"train": training(config, localizer)}
    in_graph = network_in_graph(localizer)
    return {
        task: ours.to_numpy(in_graph, *cases.noise(cases.BATCHES[task], classes, size))
        for task in cases.PHASES[phase]
    }


def training(config, localizer: Localizer) -> Callable[[], None]:
    """One step on one batch: all losses, all gradients, update."""
    step, batch = make_step(config, localizer), ours.train_batch(config, localizer)
    step.get_concrete_function(*batch)
    return lambda: ours.check_loss(step(*batch).numpy())


def make_step(config, localizer: Localizer):
    """images, labels -> loss: a tf.function that trains the localizer."""
    optimizer = ours.make_optimizer(config, localizer)
    head, variables = localizer.backbone.head, localizer.trainable_variables
    unused = [tf.Variable(tf.zeros_like(v)) for v in head.trainable_variables]

    @tf.function
    def step(images, labels):
        copied = [tf.stop_gradient(v.value) for v in head.trainable_variables]
        with tf.GradientTape() as tape, _derived_batch_norm():
            tape.watch(copied)
            features, class_maps = localizer.backbone(images, training=True)
            foreground_map = _map_of(localizer, features, labels, training=True)
            hidden = _background_scores(
                head, copied, features, foreground_map, training=True
            )
            terms = _terms(class_maps, foreground_map, hidden, labels, config.loss)
            total = losses.weighted_sum(
                terms, alpha=config.loss.alpha, beta=config.loss.beta
            )
            loss = tf.reduce_mean(total)
        gradients, of_copy = tape.gradient(loss, (variables, copied))
        for variable, gradient in zip(unused, of_copy, strict=True):
            variable.assign(gradient)
        optimizer.apply(gradients, variables)
        return loss

    return step


@contextlib.contextmanager
def _derived_batch_norm() -> Iterator[None]:
    """Within, batch normalisation has no separate backward pass."""
    written = batch_norm.normalize_by_batch

    def derived(x, gamma, beta, *, epsilon, over_replicas):
        mean = over_replicas(batch_norm.channel_mean(x))
        squares = batch_norm.channel_mean(tf.square(x - mean))
        variance = over_replicas(squares)
        moments = mean, variance
        normalized = tf.nn.batch_normalization(x, *moments, beta, gamma, epsilon)
        return normalized, *map(tf.stop_gradient, moments)

    batch_norm.normalize_by_batch = derived
    try:
        yield
    finally:
        batch_norm.normalize_by_batch = written


def network_in_graph(localizer: Localizer):
    """Scores, the label's map and S^b_y, which the reference computes here too."""
    head = localizer.backbone.head

    @tf.function
    def in_graph(images, labels):
        features, class_maps = localizer.backbone(images, training=False)
        foreground_map = _map_of(localizer, features, labels, training=False)
        weights = [v.value for v in head.trainable_variables]
        hidden = _background_scores(
            head, weights, features, foreground_map, training=False
        )
        scores = masking.global_average_pool(class_maps)
        return scores, foreground_map, masking.select_score(hidden, labels)

    return in_graph


def _map_of(localizer, features, labels, *, training) -> tf.Tensor:
    maps = localizer.generator(features, training=training)  # [batch, h, w, classes]
    return masking.select_class(maps, labels)


def _background_scores(head, weights, features, foreground_map, *, training):
    """[batch, classes]; the statistics that the copy moves are dropped."""
    statistics = [v.value for v in head.non_trainable_variables]
    hidden = tf.stop_gradient(features) * masking.background_map(foreground_map)
    class_maps, _ = head.stateless_call(weights, statistics, hidden, training=training)
    return masking.global_average_pool(class_maps)


def _terms(class_maps, foreground_map, hidden, labels, loss) -> dict[str, tf.Tensor]:
    logits = masking.global_average_pool(class_maps)
    seen = class_maps * masking.average_pool_2x2(foreground_map)
    return {
        names.CLASSIFICATION_LOSS: losses.classification_loss(logits, labels),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: losses.foreground_region_guidance_loss(
            masking.global_average_pool(seen), labels
        ),
        names.AREA_CONSTRAINT_LOSS: losses.area_constraint_loss(foreground_map),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: (
            losses.background_activation_suppression_loss(
                masking.select_score(logits, labels),
                masking.select_score(hidden, labels),
                background_wins=loss.background_wins,
            )
        ),
    }
