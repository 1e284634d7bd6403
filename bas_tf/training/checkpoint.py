"""Checkpoints: model, optimizer and step; resuming is exact at any step.

The order of examples and their augmentation follow from seed and step, so the step is
all there is to say about the data and the random state.
"""

import shutil
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from bas_tf.errors import UserError

FOLDER, PREFIX = "checkpoints", "step"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
# What TensorFlow raises for files that are damaged, cut off or missing.
_UNREADABLE = (tf.errors.OpError, OSError, IndexError, RuntimeError)


class Checkpointer:
    """Saves a training and finds the newest good checkpoint again.

    TensorFlow writes under a temporary name, then renames; the table of checkpoints
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
        self._folder = Path(workdir) / FOLDER
        self._steps_done = tf.Variable(0, dtype=tf.int64, name="steps_done")
        self._parts = {"localizer": by_path(localizer)}
        if optimizer is not None:
            self._parts["optimizer"] = by_path(optimizer)
        self._checkpoint = tf.train.Checkpoint(
            steps_done=self._steps_done, **self._parts
        )
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(self._folder), max_to_keep=keep,
            checkpoint_name=PREFIX,
        )  # fmt: skip

    def save(self, steps_done: int) -> None:
        """Writes a checkpoint that says how many steps are behind it.

        Raises:
          UserError: it cannot be written; those that were there stay as they are.
        """
        self._steps_done.assign(steps_done)
        before = self._manager.latest_checkpoint
        try:
            self._manager.save(checkpoint_number=steps_done)
        except (tf.errors.OpError, OSError) as error:
            self._remove_partial(steps_done)
            kept = f"{before} is still good" if before else "there is none before it"
            raise UserError(
                f"{self._folder}: step {steps_done} cannot be saved "
                f"({_reason(error)}); {kept}"
            ) from error

    def restore(self) -> int | None:
        """Loads the newest checkpoint that can be read.

        One that cannot is passed over, with a warning.

        Returns:
          Steps done; None when there is no checkpoint.

        Raises:
          UserError: a checkpoint does not fit the model, or none can be read.
        """
        paths = self._manager.checkpoints[::-1]
        for path in paths:
            try:
                self._restore(path)
            except _UNREADABLE as error:
                logging.warning(
                    "%s: cannot be read (%s); the one before it is used",
                    path, _reason(error),
                )  # fmt: skip
                continue
            return int(self._steps_done)
        if paths:
            raise UserError(
                f"{self._folder}: none of its checkpoints can be read "
                f"({', '.join(paths)})"
            )
        return None

    def _restore(self, path: str) -> None:
        """Loads one checkpoint.

        Raises:
          UserError: it does not fit the model.
          One of _UNREADABLE.
        """
        _check_fits(path, self._parts)
        status = self._checkpoint.restore(path)
        status.assert_existing_objects_matched()
        if "optimizer" not in self._parts:
            status.expect_partial()
            self._take_averages(path)

    def _take_averages(self, path: str) -> None:
        """For inference: a weight whose average the optimizer kept becomes that."""
        reader = tf.train.load_checkpoint(path)
        kept = {
            name.rpartition("/")[2]: key
            for name, key in _stored_keys(reader).get("optimizer", {}).items()
        }
        for name, variable in self._parts["localizer"].items():
            key = kept.get(f"{name.replace('/', '_')}_average")
            if key:
                variable.assign(reader.get_tensor(key))

    def _remove_partial(self, steps_done: int) -> None:
        """What a save that failed has left."""
        for path in self._folder.glob(f"{PREFIX}-{steps_done}[._]*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


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


def _check_fits(path: str, parts: dict[str, dict[str, tf.Variable]]) -> None:
    """Compares names and shapes, which TensorFlow would tell one of, if any.

    Raises:
      UserError: a variable is missing on one side, or has another shape.
      One of _UNREADABLE.
    """
    reader = tf.train.load_checkpoint(path)
    shapes, stored = reader.get_variable_to_shape_map(), _stored_keys(reader)
    for part, variables in parts.items():
        expected = {name: tuple(v.shape) for name, v in variables.items()}
        found = {n: tuple(shapes[key]) for n, key in stored.get(part, {}).items()}
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise UserError(
                    f"{path}: does not fit this model: {name} is "
                    f"{_shape(found.get(name))} there and {_shape(expected.get(name))} "
                    "here; was it trained with another config or other classes?"
                )


def _stored_keys(reader) -> dict[str, dict[str, str]]:
    """{part: {path of a variable: its key in the checkpoint}}."""
    stored: dict[str, dict[str, str]] = {}
    for key in reader.get_variable_to_shape_map():
        part, _, rest = key.partition("/")
        name = rest.removesuffix(_SUFFIX).replace(".S", "/").replace("..", ".")
        stored.setdefault(part, {})[name] = key
    return stored


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
