"""Checkpoints: model, optimizer and epoch; resuming is exact at an epoch's end."""

from pathlib import Path

import keras
import tensorflow as tf

from bas_tf.errors import UserError


class Checkpointer:
    """Saves after epochs and finds the newest checkpoint again.

    TensorFlow writes under a temporary name, then renames; the index of checkpoints
    is replaced last, so a killed save leaves the previous checkpoint in force.

    Args:
      workdir: checkpoints go to workdir/checkpoints.
      localizer: the model.
      optimizer: its optimizer; None to restore a model for inference only.
      keep: how many checkpoints stay on disk.
    """

    def __init__(
        self,
        workdir: str | Path,
        localizer: keras.Model,
        optimizer: keras.optimizers.Optimizer | None = None,
        *,
        keep: int = 2,
    ):
        self._epoch = tf.Variable(0, dtype=tf.int64, name="epochs_done")
        parts = {"localizer": by_path(localizer), "epochs_done": self._epoch}
        if optimizer is not None:
            parts["optimizer"] = by_path(optimizer)
        self._checkpoint = tf.train.Checkpoint(**parts)
        self._inference_only = optimizer is None
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(Path(workdir) / "checkpoints"), max_to_keep=keep
        )

    def save(self, epochs_done: int) -> str:
        """Writes a checkpoint that says how many epochs are behind it."""
        self._epoch.assign(epochs_done)
        return self._manager.save(checkpoint_number=epochs_done)

    def restore(self) -> int | None:
        """Loads the newest checkpoint.

        Returns:
          Epochs done; None when there is no checkpoint.

        Raises:
          UserError: the checkpoint does not fit the model or cannot be read.
        """
        path = self._manager.latest_checkpoint
        if path is None:
            return None
        try:
            status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched()
        except (ValueError, AssertionError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{path}: does not fit this model ({reason})") from error
        if self._inference_only:
            status.expect_partial()
        return int(self._epoch)


def by_path(owner: keras.Model | keras.optimizers.Optimizer) -> dict:
    """{path: TensorFlow variable} of everything that a model or optimizer holds.

    A checkpoint of the Keras object itself would follow its attributes, and passes by
    layers that lie in a plain list.

    Raises:
      ValueError: two variables share a path; one would be lost.
    """
    variables = {variable.path: variable.value for variable in owner.variables}
    if len(variables) != len(owner.variables):
        raise ValueError(f"{owner.name}: two variables share a path")
    return variables
