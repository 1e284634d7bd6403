"""What happens next to a step: progress, logs, checkpoints, warnings."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from tqdm.auto import tqdm

from bas_tf import files, names
from bas_tf.errors import UserError
from bas_tf.training.checkpoint import Checkpointer
from bas_tf.training.loop import Hook, Progress

VALIDATION_FILE = "validation.jsonl"
COLLAPSE_RANGE = (0.02, 0.98)
PICTURES_TAG, MEAN_MAPS_TAG = "fixed_images", "mean_maps_of_fixed_images"
BY_CLASS_TAG = "gt_known_loc_by_class"
MOST_CLASS_CURVES = 50  # beyond it nobody reads one curve a class
SHORT_NAMES = {
    names.LOSS: "loss",
    names.CLASSIFICATION_LOSS: "cls",
    names.FOREGROUND_REGION_GUIDANCE_LOSS: "frg",
    names.AREA_CONSTRAINT_LOSS: "area",
    names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: "bas",
    names.FOREGROUND_CROSS_ENTROPY_LOSS: "ce",
    names.LABEL_MAP_LOSS: "seg",
}


def progress_bar(*, total_steps: int, first_step: int) -> Hook:
    """A bar with the loss terms and the time left."""
    bar = tqdm(total=total_steps, initial=first_step, unit="step", mininterval=2.0)

    def hook(progress: Progress) -> None:
        terms = {
            short: f"{progress.values[name]:.3f}"
            for name, short in SHORT_NAMES.items()
            if name in progress.values
        }
        bar.set_postfix(epoch=progress.epoch + 1, **terms, refresh=False)
        bar.update()
        if progress.step == total_steps:
            bar.close()

    return hook


def jsonl_log(path: Path, *, every_steps: int, first_step: int) -> Hook:
    """Appends one object each logged step; drops lines past the resumed step."""
    if path.exists():
        rows = _read_rows(path)
        _write_rows(path, [row for row in rows if row["step"] <= first_step])

    def hook(progress: Progress) -> None:
        if progress.step % every_steps == 0 or progress.epoch_ends:
            row = {"step": progress.step, "epoch": progress.epoch, **progress.values}
            files.append_line(path, json.dumps(row))

    return hook


def _read_rows(path: Path) -> list[dict]:
    """The objects of a log, up to a line that a kill has cut off."""
    rows = []
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            rows.append(json.loads(line))
    return rows


def tensorboard_log(
    folder: Path,
    *,
    every_steps: int,
    draw_pictures: Callable[[], tuple[np.ndarray, np.ndarray]],
) -> Hook:
    """TensorBoard scalars each logged step; each epoch what some fixed images get.

    The pictures are one image under PICTURES_TAG, the mean maps, which the area term
    is about, a histogram under MEAN_MAPS_TAG.

    Args:
      every_steps: steps between scalars.
      draw_pictures: returns one picture of all images, uint8 [height, width, 3], and
        the mean of each one's map, [n] in [0, 1].
    """
    writer = tf.summary.create_file_writer(str(folder))

    def hook(progress: Progress) -> None:
        with writer.as_default(step=progress.step):
            if progress.step % every_steps == 0:
                for name, value in progress.values.items():
                    tf.summary.scalar(name, value)
            if progress.epoch_ends:
                picture, mean_maps = draw_pictures()
                tf.summary.image(PICTURES_TAG, picture[np.newaxis])
                tf.summary.histogram(MEAN_MAPS_TAG, mean_maps[np.isfinite(mean_maps)])
                writer.flush()

    return hook


@dataclasses.dataclass(frozen=True)
class Validation:
    """An epoch's figures by name, and GT-known Loc of the classes with true boxes."""

    figures: Mapping[str, float]
    gt_known_by_class: Mapping[str, float]


def tensorboard_validation(folder: Path) -> Callable[[int, Validation], None]:
    """(step, validation) -> its figures as TensorBoard scalars.

    Each class's too, up to `MOST_CLASS_CURVES` of them; of more, their histogram. The
    folder has no other writer: TensorBoard reads one file of it after the other.
    """
    writer = tf.summary.create_file_writer(str(folder))

    def log(step: int, validation: Validation) -> None:
        with writer.as_default(step=step):
            for name, value in validation.figures.items():
                tf.summary.scalar(name, value)
            by_class = validation.gt_known_by_class
            if len(by_class) > MOST_CLASS_CURVES:
                tf.summary.histogram(BY_CLASS_TAG, list(by_class.values()))
            else:
                for name, value in by_class.items():
                    tf.summary.scalar(f"{BY_CLASS_TAG}/{name}", value)
        writer.flush()

    return log


class TrainingStoppedError(Exception):
    """The training was asked to stop and has saved all it did."""


def save_checkpoints(
    checkpointer: Checkpointer | None,
    *,
    every_steps: int,
    stop_requested: Callable[[], bool],
) -> Hook:
    """Saves at each epoch's end, between, and before the training stops.

    It comes after those that log: what they wrote of a step is there once it is saved.

    Args:
      checkpointer: None on a worker that does not write.
      every_steps: also after as many steps; 0 for none but the epochs' ends.
      stop_requested: asked after each step, before a TrainingStoppedError.
    """

    def hook(progress: Progress) -> None:
        stops = stop_requested()
        due = every_steps and progress.step % every_steps == 0
        if checkpointer and (stops or due or progress.epoch_ends):
            checkpointer.save(progress.step)
        if stops:
            raise TrainingStoppedError(f"stopped after step {progress.step}")

    return hook


def keep_best(
    validate: Callable[[], Validation],
    saver: Checkpointer,
    workdir: Path,
    *,
    log: Callable[[int, Validation], None],
    metric: str,
    first_step: int,
    steps_per_epoch: int,
) -> Hook:
    """Evaluates each epoch on the validation split and keeps the best one's weights.

    Comes after saving; first evaluates what a stopped training left. The first of equal
    epochs is kept.

    Args:
      validate: brings `saver`'s model to the weights of now, and evaluates it.
      saver: of the model that is evaluated; keeps one checkpoint.
      workdir: workdir/VALIDATION_FILE gets an object each epoch.
      metric: the figure that is best when largest.
      first_step: where the training starts; what the file says past it is dropped.

    Raises:
      UserError: `validate` gives no such figure; before the first step.
    """
    path = workdir / VALIDATION_FILE
    rows = [row for row in _read_rows(path) if row["step"] <= first_step]
    _write_rows(path, rows)

    def evaluate() -> Validation:
        validation = validate()
        if metric not in validation.figures:
            known = ", ".join(sorted(validation.figures))
            raise UserError(
                f"train.select_by is {metric!r}, which the validation split does not "
                f"give; it gives: {known}"
            )
        return validation

    def evaluate_epoch(step: int) -> None:
        validation = evaluate()
        values = validation.figures
        if values[metric] > max((row[metric] for row in rows), default=-math.inf):
            saver.save(step)
        rows.append({"step": step, "epoch": step // steps_per_epoch - 1, **values})
        _write_rows(path, rows)
        log(step, validation)

    if not first_step:
        evaluate()  # a mistake must not cost an epoch
    elif first_step % steps_per_epoch == 0 and all(
        row["step"] != first_step for row in rows
    ):
        evaluate_epoch(first_step)

    def hook(progress: Progress) -> None:
        if progress.epoch_ends:
            evaluate_epoch(progress.step)

    return hook


def _write_rows(path: Path, rows: list[dict]) -> None:
    content = "".join(f"{json.dumps(row)}\n" for row in rows)
    files.write_file(path, content.encode())


def warn_of_collapse() -> Hook:
    """Warns at an epoch's end when the mean map left [0.02, 0.98]."""
    areas: list[float] = []

    def hook(progress: Progress) -> None:
        if progress.bas_active and names.AREA_CONSTRAINT_LOSS in progress.values:
            areas.append(progress.values[names.AREA_CONSTRAINT_LOSS])
        if not progress.epoch_ends or not areas:
            return
        mean_area = float(np.mean(areas))
        areas.clear()
        low, high = COLLAPSE_RANGE
        if not low <= mean_area <= high:
            advice = "lower loss.beta" if mean_area < low else "raise loss.beta"
            logging.warning(
                "epoch %d: the foreground maps collapsed (mean map %.3f, outside "
                "[%.2f, %.2f]); %s or raise train.classifier_epochs",
                progress.epoch + 1, mean_area, low, high, advice,
            )  # fmt: skip

    return hook


def warn_of_dead_class_maps(num_classes: int) -> Hook:
    """Warns at an epoch's end when every step's classification loss was log(classes).

    That is what class maps give that are zero everywhere: a ReLU that too large a
    first step has closed for good passes no gradient, so it never opens again. Of one
    class nothing is said: its loss is 0 = log(1) whatever the maps are.
    """
    losses: list[float] = []

    def hook(progress: Progress) -> None:
        losses.append(progress.values[names.CLASSIFICATION_LOSS])
        if not progress.epoch_ends:
            return
        if num_classes > 1 and np.allclose(losses, np.log(num_classes), atol=1e-5):
            logging.warning(
                "epoch %d: the class maps are zero for every image (loss log %d); "
                "start again with a lower optimizer.base_rate or more "
                "optimizer.warmup_steps", progress.epoch + 1, num_classes,
            )  # fmt: skip
        losses.clear()

    return hook
