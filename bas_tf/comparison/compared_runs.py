"""What is on disk of the runs to compare, and what of it can be compared."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bas_tf.errors import UserError
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.evaluators.metrics_file import BOX_SETTINGS
from bas_tf.jobs import experiment, results, resuming
from bas_tf.metrics.bootstrap import mean_intervals
from bas_tf.metrics.classification import classification_values
from bas_tf.metrics.localization import localization_values
from bas_tf.report import comparison_page

# Keys of the config that have their own columns in every table.
_OWN_COLUMNS = ("train.seed", "eval.score_threshold")
_DOCUMENT_KEYS = (*results.SETTING_KEYS, "config", "seed", "metrics", "intervals_95")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as it is compared.

    Attributes:
      path: of a workdir or a metrics.json file.
      document: the content of its metrics.json.
      trained: what a workdir holds; None of a file.
    """

    name: str
    path: Path
    document: dict
    trained: experiment.Experiment | None


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Reads what is on disk of each run, a training workdir or a metrics.json file.

    Raises:
      UserError: fewer than two, one given twice, one that is no run or is not
        evaluated.
    """
    if len(paths) < 2:
        given = f" ({paths[0]})" if paths else ""
        raise UserError(
            f"{len(paths)} RUN given{given}; a comparison needs two or more, each a "
            "--workdir of bas_tf.train or a metrics.json file"
        )
    absolute = [path.resolve() for path in paths]
    for place, path in enumerate(absolute):
        if path in absolute[:place]:
            raise UserError(f"{paths[place]}: given twice; name each RUN once")
    return [
        Run(name, path, *_read_run(path))
        for name, path in zip(short_names(absolute), paths, strict=True)
    ]


def short_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of distinct absolute paths that tell them apart.

    The name of a metrics.json has its folder too.
    """
    count, names = 0, []
    while len(set(names)) < len(paths):
        count += 1
        counts = [count + (path.name == results.METRICS_FILE) for path in paths]
        names = [
            str(Path(*path.parts[-each:]))
            for path, each in zip(paths, counts, strict=True)
        ]
    return names


def _read_run(path: Path) -> tuple[dict, experiment.Experiment | None]:
    """A run's metrics.json, and its config and classes where it is a workdir."""
    if path.is_file():
        return _read_document(path), None
    trained = experiment.load_experiment(path)
    metrics = path / results.METRICS_FILE
    if not metrics.is_file():
        raise UserError(
            f"{path}: no {results.METRICS_FILE} in it: it is not evaluated yet; finish "
            f"the training, or call bas_tf.evaluate with --model={path} and "
            f"--output={metrics}"
        )
    return _read_document(metrics), trained


def _read_document(path: Path) -> dict:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise UserError(f"{path}: not valid JSON ({error})") from error
    is_object = isinstance(document, dict)
    missing = [key for key in _DOCUMENT_KEYS if not is_object or key not in document]
    if missing:
        raise UserError(
            f"{path}: has no {missing[0]!r}; expected a {results.METRICS_FILE} of "
            "bas_tf.train or bas_tf.evaluate"
        )
    return document


def differing_settings(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """{run's name: {key: value}} of the config's keys that are not alike in all runs.

    A key that a run's config does not have counts as off; of a file only the config's
    name is known. What is not known is None.
    """
    known = {run.name: {"config": run.document["config"]} for run in runs}
    for run in runs:
        if run.trained:
            known[run.name] |= resuming.flatten(run.trained.config.to_dict())
    keys = dict.fromkeys(key for settings in known.values() for key in settings)
    differing = [
        key
        for key in keys
        if key not in _OWN_COLUMNS
        and _differ(
            [known[r.name].get(key) for r in runs if r.trained or key in known[r.name]]
        )
    ]
    return {name: {key: s.get(key) for key in differing} for name, s in known.items()}


def _differ(values: Sequence) -> bool:
    """Whether two values differ; a missing one (None) is like one that is off."""
    return any(value != values[0] and (value or values[0]) for value in values)


def group_runs(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs whose figures may stand in one table, in the order of their first ones.

    They agree in protocol, split, number of images, the threshold's origin, the crops
    that classes are of and how boxes are made, and in what says which images these
    are, where it is known.
    """
    groups: list[list[Run]] = []
    for run in runs:
        for group in groups:
            if all(_comparable(run, other) for other in group):
                group.append(run)
                break
        else:
            groups.append([run])
    return groups


def _comparable(run: Run, other: Run) -> bool:
    keys = [key for key in results.SETTING_KEYS if key != "score_threshold"]
    keys += ["ten_crop_precision", *BOX_SETTINGS]  # where they apply
    images = [evaluated_images_of(each) for each in (run, other)]
    return all(run.document.get(key) == other.document.get(key) for key in keys) and (
        None in images or images[0] == images[1]
    )


def evaluated_images_of(run: Run) -> dict | None:
    """What its metrics.json says of its images, see `experiment.images_of`.

    One of an older version says nothing. A workdir's is then taken to be of the
    workdir's own data; of a file nothing is known: None.
    """
    if "data" in run.document:
        return run.document["data"]
    if run.trained is None:
        return None
    return experiment.images_of(run.trained.config, run.document["split"])


def paired_difference(
    evaluated: EvaluationResult, reference: EvaluationResult
) -> dict[str, dict]:
    """How much more than the reference's each figure is, over the same images.

    Returns:
      {name: {"value", "interval_95"}} of the figures in `comparison.PAIRED` that the
      split allows; fractions. The interval resamples images, of which each keeps both
      runs' answers.
    """
    ours, theirs = _image_values(evaluated), _image_values(reference)
    both = ours.keys() & theirs.keys()  # one may be of the label's maps alone
    differences = {
        key: ours[key].astype(float) - theirs[key]
        for key in comparison_page.PAIRED
        if key in both
    }
    return {
        key: {
            "value": float(values.mean()),
            "interval_95": list(mean_intervals(values[:, np.newaxis])[0]),
        }
        for key, values in differences.items()
    }


def _image_values(evaluated: EvaluationResult) -> dict[str, np.ndarray]:
    """{figure: each image's part in it}; of boxes where there is a true one."""
    predictions, images = evaluated.predictions, evaluated.truth.images
    class_ids, labels = predictions.class_ids, predictions.labels
    values = {**classification_values(class_ids, labels)}
    if len(images):
        ious = evaluated.evaluation.per_image["iou"][images]
        values |= localization_values(
            ious, class_ids[images], labels[images], predictions.map_class
        )
    return {key: values[key] for key in comparison_page.PAIRED if key in values}
