"""Whether a training goes on as it began, and what a workdir keeps to tell."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bas_tf import files
from bas_tf.configs.common import PATH_KEYS
from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.jobs.experiment import (
    CONFIG_FILE,
    Experiment,
    load_experiment,
    load_localizer,
    names_workdir,
    restore,
)

# Groups that must agree for a workdir to be resumed, and the keys that may change.
TRAINING_GROUPS = ("data", "model", "loss", "optimizer", "train")
FREE_KEYS = (
    "data.root",
    "data.cache",
    "data.rescale_boxes",
    "data.service",  # of older workdirs; the batches were the same
    "train.self_training_epochs",  # of a training after this one
    "train.self_training_rate",
    "train.log_every_steps",
    "train.checkpoint_every_steps",
    "train.keep_checkpoints",
    "train.asynchronous_checkpoints",
)
PACKAGES = ("tensorflow", "keras", "numpy", "ai-edge-litert", "opencv-python-headless")
_OTHER_BUILDS = {"tensorflow": "tensorflow-cpu"}


def check_workdir(workdir: Path, config, class_names: tuple[str, ...]) -> None:
    """Raises UserError when the workdir belongs to another training."""
    if any((workdir / "checkpoints").glob("*.index")):
        _check_same_training(load_experiment(workdir), config, class_names)


def photo_set(records: Sequence[Record]) -> dict[str, Any]:
    """What tells two sets of training photos apart: their number and their names."""
    names = "\n".join(sorted(record.image_id for record in records))
    digest = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
    return {"count": len(records), "names_sha256": digest}


def identity(teacher: Experiment, records: Sequence[Record]) -> dict[str, Any]:
    """What masks were made by and of: the teacher's weights and the photos' names."""
    localizer, steps = teacher.trained
    weights = hashlib.sha256()
    for variable in localizer.variables:
        weights.update(variable.numpy().tobytes())
    return {
        "teacher_sha256": weights.hexdigest(),
        "teacher_steps": steps,
        "training_photos": photo_set(records),
    }


def check_photos(workdir: Path, photos: Mapping[str, Any]) -> None:
    """Raises UserError where a training would go on with other photos than it began.

    A workdir of an older version does not say which photos it began with.
    """
    if not any((workdir / "checkpoints").glob("*.index")):
        return
    saved = json.loads((workdir / CONFIG_FILE).read_text(encoding="utf-8"))
    before = saved.get("training_photos")
    if before and before != photos:
        raise UserError(
            f"{workdir}: began with {before['count']} training photos, split train now "
            f"has {photos['count']}, or others of these names; to go on with them, "
            f"--config.model.weights={workdir} and a new --workdir"
        )


def write_experiment(
    workdir: Path,
    config,
    class_names: tuple[str, ...],
    *,
    photos: Mapping[str, Any] | None = None,
) -> None:
    """Records the config, classes, training photos (`photo_set`) and versions."""
    content = {
        "config": config.to_dict(),
        "class_names": list(class_names),
        "training_photos": photos,
        "versions": versions(),
    }
    files.write_json(workdir / CONFIG_FILE, content)


def _check_same_training(saved: Experiment, config, class_names) -> None:
    advice = f"use another --workdir, or delete {saved.workdir}"
    _check_same_classes(saved, class_names, where=saved.workdir, advice=f"; {advice}")
    before, now = flatten(saved.config.to_dict()), flatten(config.to_dict())
    for key in sorted(before.keys() | now.keys()):
        if key.split(".")[0] not in TRAINING_GROUPS or key in FREE_KEYS:
            continue
        if key not in now and not before[key]:
            continue  # a switch that has gone, off
        if key in PATH_KEYS and _same_place(
            before.get(key), now.get(key), saved.workdir
        ):
            continue
        if before.get(key) != now.get(key):
            raise UserError(
                f"{saved.workdir}: was trained with {key}={before.get(key)!r}, "
                f"the config says {now.get(key)!r}; {advice}"
            )


def _same_place(before: str | None, now: str | None, workdir: Path) -> bool:
    """Whether two paths are one; within a workdir wherever it was, see `rounds`."""
    if not (before and now):
        return False
    home = workdir.resolve()
    home = home.parent if home.name.startswith("teacher_") else home  # of all rounds
    then, place = Path(before).resolve(), Path(now).resolve()
    if not place.is_relative_to(home):
        return then == place
    inside = place.relative_to(home).parts
    return then.parts[-len(inside) :] == inside


def flatten(tree: dict, prefix: str = "") -> dict:
    """{"a": {"b": 1}} -> {"a.b": 1}; tuples as lists, as JSON keeps them."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    return found | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    """Of a package or else its other build; "not installed" without either."""
    for name in filter(None, (package, _OTHER_BUILDS.get(package))):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def load_start(localizer, config, class_names: tuple[str, ...]) -> None:
    """Gives a localizer the weights of the workdir that `model.weights` names, if any.

    They are those that evaluation takes. To be called outside of a strategy's scope.
    Maps with a softmax go on from those with a sigmoid, to whose kernels they add
    background's of zeros: where only one class has a map the two agree.

    Raises:
      UserError: it is no workdir, or has other classes or another network.
    """
    weights = config.model.weights
    if not names_workdir(weights):
        return
    start, where = load_experiment(weights), f"model.weights={weights}"
    _check_same_classes(start, class_names, where=where)
    theirs, ours = start.config.model.to_dict(), config.model.to_dict()
    outputs = theirs["map_outputs"], ours["map_outputs"]
    adds_background = outputs == ("sigmoid", "softmax")
    free = {"weights", "top_k", *["map_outputs"] * adds_background}
    for key in sorted(ours.keys() - free):
        if theirs.get(key) != ours[key]:
            raise UserError(
                f"{where}: was trained with model.{key}={theirs.get(key)!r}, "
                f"the config says {ours[key]!r}"
            )
    if adds_background:
        _take_with_background(localizer, load_localizer(start))
    else:
        restore(start, localizer)


def _take_with_background(localizer, teacher) -> None:
    values = {v.path: v.numpy() for v in teacher.variables}
    for variable in localizer.variables:
        value = values[variable.path]
        if value.shape != variable.shape:  # the generator's: one channel more
            value = np.pad(value, [(0, 0)] * (value.ndim - 1) + [(0, 1)])
        variable.assign(value)


def _check_same_classes(saved: Experiment, class_names, *, where, advice="") -> None:
    if saved.class_names != tuple(class_names):
        raise UserError(
            f"{where}: was trained on {_unlike(saved.class_names, class_names)}, "
            f"the data has {_unlike(class_names, saved.class_names)}{advice}"
        )


def _unlike(names: Sequence[str], others: Sequence[str]) -> str:
    """How many classes, and the first that the others do not have, if any."""
    strangers = [name for name in names if name not in others]
    return f"{len(names)} classes" + (f" ({strangers[0]!r}…)" if strangers else "")
