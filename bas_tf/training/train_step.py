"""One distributed training step: losses, gradients, update."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.errors import check_choice
from bas_tf.models.localizer import Localizer
from bas_tf.training.step import bas_terms, classifier_terms


@dataclasses.dataclass(frozen=True)
class Method:
    """The method's choices: see `losses.weighted_sum` and `step.bas_terms`.

    Raises:
      UserError: an unknown `objective` or `background_wins`.
    """

    alpha: float
    beta: float
    objective: str = "bas"
    background_wins: str = "zero"
    batch_statistics: bool = True

    def __post_init__(self):
        # Told at once, not when the classifier's epochs are over.
        known = losses.BACKGROUND_WINS
        check_choice("loss.background_wins", self.background_wins, known)
        losses.objective_term(self.objective)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the four losses."""
        return (
            names.CLASSIFICATION_LOSS,
            names.FOREGROUND_REGION_GUIDANCE_LOSS,
            names.AREA_CONSTRAINT_LOSS,
            losses.objective_term(self.objective),
        )


def make_train_step(
    *,
    localizer: Localizer,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    method: Method,
    bas_active: bool,
    batch_size: int,
) -> Callable:
    """Builds one distributed step: batch -> {name: scalar mean over the batch}.

    Each replica divides its sum by the *global* batch, since gradients are summed
    over replicas. While `bas_active` is False the generator is not touched at all.
    """
    trained = localizer if bas_active else localizer.backbone
    variables = trained.trainable_variables

    def replica_step(batch):
        images, labels = batch[names.IMAGES], batch[names.LABELS]
        with tf.GradientTape() as tape:
            if bas_active:
                terms = bas_terms(
                    localizer,
                    images,
                    labels,
                    background_wins=method.background_wins,
                    objective=method.objective,
                    batch_statistics=method.batch_statistics,
                )
            else:
                terms = classifier_terms(
                    localizer, images, labels, objective=method.objective
                )
            total = losses.weighted_sum(
                terms,
                alpha=method.alpha,
                beta=method.beta,
                objective=method.objective,
            )
            loss = tf.reduce_sum(total) / batch_size
        optimizer.apply(tape.gradient(loss, variables), variables)
        hits = tf.equal(
            tf.argmax(terms[names.LOGITS], axis=-1, output_type=tf.int32), labels
        )
        sums = {term: tf.reduce_sum(terms[term]) for term in method.terms}
        sums["accuracy"] = tf.reduce_sum(tf.cast(hits, tf.float32))
        return {names.LOSS: loss, **{k: v / batch_size for k, v in sums.items()}}

    @tf.function
    def step(batch):
        values = strategy.run(replica_step, args=(batch,))
        return {
            key: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for key, value in values.items()
        }

    return step
