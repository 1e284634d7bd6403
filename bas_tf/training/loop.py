"""The training loop: epochs of strategy.run steps, with hooks handed in."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.training.train_step import BROKEN_REPLICAS, Method, make_train_step


class TrainingDivergedError(UserError):
    """A loss is not finite; the last checkpoint on disk is still good."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a hook is reported after a step."""

    step: int  # done in the whole training, from 1
    epoch: int  # of this step, from 0
    values: dict[str, float]  # names.LOSS, the terms, "accuracy", "learning_rate"
    bas_active: bool  # whether the generator's terms are on
    epoch_ends: bool  # whether this step was its epoch's last


Hook = Callable[[Progress], None]


def train(
    *,
    localizer: Localizer,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    method: Method,
    epoch_batches: Callable[[int, int], Iterable],
    steps_per_epoch: int,
    batch_size: int,
    first_step: int,
    epochs: int,
    classifier_epochs: int,
    hooks: Sequence[Hook],
) -> None:
    """Trains from step `first_step` to the end of `epochs`.

    Args:
      localizer, optimizer: built under the strategy's scope.
      epoch_batches: (epoch, first batch) -> its batches from that one on (distributed
        when the strategy is).
      batch_size: global.
      first_step: 0, or the steps done where a checkpoint left off.
      epochs: the training's whole length.
      classifier_epochs: the first ones, which train the classifier alone: until it has
        learned, S^b is about S, and the area term alone would empty the map.
      hooks: called after each step, in order.

    Raises:
      TrainingDivergedError: a term is not finite; names the step, the term and the
        replica.
      Whatever a hook raises, as `hooks.TrainingStoppedError`.
    """
    step_fns: dict[bool, Callable] = {}
    first_epoch, first_batch = divmod(first_step, steps_per_epoch)
    for epoch in range(first_epoch, epochs):
        bas_active = epoch >= classifier_epochs
        if bas_active not in step_fns:
            step_fns[bas_active] = make_train_step(
                localizer=localizer, optimizer=optimizer, strategy=strategy,
                method=method, bas_active=bas_active, batch_size=batch_size,
            )  # fmt: skip
        batches = epoch_batches(epoch, first_batch)
        for i, batch in enumerate(batches, start=first_batch):
            step = epoch * steps_per_epoch + i + 1
            rate = float(tf.convert_to_tensor(optimizer.learning_rate))
            found = step_fns[bas_active](batch)
            values = finite_values(found, step, strategy.num_replicas_in_sync)
            progress = Progress(
                step=step, epoch=epoch, bas_active=bas_active,
                values={**values, "learning_rate": rate},
                epoch_ends=i + 1 == steps_per_epoch,
            )  # fmt: skip
            for hook in hooks:
                hook(progress)
        first_batch = 0


def finite_values(
    found: dict[str, tf.Tensor], step: int, replicas: int
) -> dict[str, float]:
    """What a step returned, as floats and without BROKEN_REPLICAS.

    Raises:
      TrainingDivergedError: values are not finite; names each, and of several replicas,
        from 0, those they came from.
    """
    arrays = {key: value.numpy() for key, value in found.items()}
    broken = np.flatnonzero(arrays.pop(BROKEN_REPLICAS))
    values = {key: float(value) for key, value in arrays.items()}
    bad = [key for key, value in values.items() if not np.isfinite(value)]
    if bad:
        where = ", ".join(map(str, broken)) or "none alone"
        where = f" (replica {where} of {replicas}, from 0)" if replicas > 1 else ""
        raise TrainingDivergedError(
            f"step {step}: {', '.join(bad)} is not finite{where}; training stopped, "
            "the last checkpoint is kept (try a lower optimizer.base_rate)"
        )
    return values
