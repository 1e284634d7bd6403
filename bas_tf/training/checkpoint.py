"""Checkpoints: model, optimizer and step; resuming is exact at any step.

The order of examples and their augmentation follow from seed and step, so the step is
all there is to say about the data and the random state.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from bas_tf.errors import UserError
from bas_tf.training.global_update import GlobalUpdate

FOLDER, BEST_FOLDER, PREFIX = "checkpoints", "best", "step"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
# What TensorFlow raises for files that are damaged, cut off or missing.
_UNREADABLE = (tf.errors.OpError, OSError, IndexError, RuntimeError)


class Checkpointer:
    """Saves a training and finds the newest good checkpoint again.

    TensorFlow writes under a temporary name, then renames; the table of checkpoints
    is replaced last, so a killed save leaves the previous checkpoint in force.

    Args:
      workdir: checkpoints go to workdir/folder.
      optimizer: the localizer's; None to save or restore a model for inference only.
      folder: FOLDER, or BEST_FOLDER, which has the best epoch's weights.
      keep: how many checkpoints stay on disk.
      asynchronous: `save` copies every value and returns; a thread writes. What goes
        wrong there is raised by the next `save`, or by `finish`.
    """

    def __init__(
        self,
        workdir: str | Path,
        localizer: keras.Model,
        optimizer: keras.optimizers.Optimizer | None = None,
        *,
        folder: str = FOLDER,
        keep: int = 2,
        asynchronous: bool = False,
    ):
        self._folder = Path(workdir) / folder
        self._steps_done = tf.Variable(0, dtype=tf.int64, name="steps_done")
        self._parts = {"localizer": by_path(localizer)}
        if optimizer is not None:
            self._parts["optimizer"] = by_path(optimizer)
        self._written = _copies(self._parts) if asynchronous else self._parts
        self._checkpoint = tf.train.Checkpoint(
            steps_done=self._steps_done, **self._parts
        )
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(steps_done=self._steps_done, **self._written),
            str(self._folder), max_to_keep=keep, checkpoint_name=PREFIX,
        )  # fmt: skip
        self._writer = ThreadPoolExecutor(max_workers=1) if asynchronous else None
        self._pending: Future | None = None

    def save(self, steps_done: int) -> None:
        """Writes a checkpoint that says how many steps are behind it.

        Raises:
          UserError: it cannot be written, or a value is not finite; the checkpoints
            that were there stay as they are.
        """
        self.finish()
        self._check_finite(steps_done)
        self._steps_done.assign(steps_done)
        if self._writer is None:
            self._write(steps_done)
            return
        for part, variables in self._parts.items():
            for name, variable in variables.items():
                self._written[part][name].assign(variable)
        self._pending = self._writer.submit(self._write, steps_done)

    def finish(self) -> None:
        """Waits until all is written; raises as `save` does."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Within it what is still written is waited for, also when an error ends it.

        What goes wrong in writing is then told next to that error, which is raised.
        """
        try:
            yield
        except BaseException:
            try:
                self.finish()
            except UserError as error:
                logging.error("%s", error)
            raise
        self.finish()

    def _write(self, steps_done: int) -> None:
        try:
            self._manager.save(checkpoint_number=steps_done)
        except (tf.errors.OpError, OSError) as error:
            self._remove_partial(steps_done)
            raise UserError(
                f"{self._folder}: step {steps_done} cannot be saved "
                f"({_reason(error)}); {self._kept()}"
            ) from error

    def _check_finite(self, steps_done: int) -> None:
        for name, variable in self._parts["localizer"].items():
            if not np.isfinite(variable.numpy()).all():
                raise UserError(
                    f"step {steps_done}: {name} is not finite and not saved; "
                    f"{self._kept()} (try a lower optimizer.base_rate)"
                )

    def _kept(self) -> str:
        newest = self._manager.latest_checkpoint
        return f"{newest} is still good" if newest else "there is none before it"

    def restore(self) -> int | None:
        """Loads the newest checkpoint that can be read.

        One that cannot is skipped, with a warning.

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
        """Raises one of _UNREADABLE, or UserError if it does not fit the model."""
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
        """What a save that failed has left; not what was there under its number."""
        if str(self._folder / f"{PREFIX}-{steps_done}") in self._manager.checkpoints:
            pattern = f"{PREFIX}-{steps_done}_temp*"
        else:
            pattern = f"{PREFIX}-{steps_done}[._]*"
        for path in self._folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def copy_for_inference(
    localizer: keras.Model, optimizer: GlobalUpdate, *, onto: keras.Model
) -> None:
    """Gives `onto`, of the same paths, the weights that inference takes.

    Those are the averages if the optimizer keeps any, as in `restore`.
    """
    values = {variable.path: variable for variable in localizer.variables}
    if optimizer.averages:
        paths = [variable.path for variable in localizer.trainable_variables]
        values |= dict(zip(paths, optimizer.averages, strict=True))
    for variable in onto.variables:
        variable.assign(values[variable.path].numpy())


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


def _copies(parts: dict[str, dict[str, tf.Variable]]):
    """Variables of the same names and values, on the host, of this process alone."""
    with tf.device("CPU:0"):
        return {
            part: {name: tf.Variable(v.numpy()) for name, v in variables.items()}
            for part, variables in parts.items()
        }


def _check_fits(path: str, parts: dict[str, dict[str, tf.Variable]]) -> None:
    """Raises UserError unless names and shapes are the same on both sides.

    TensorFlow would tell one of them, if any. May raise one of _UNREADABLE.
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
    """Its first line, without the operation that TensorFlow puts around it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\]$", "", lines[0])
