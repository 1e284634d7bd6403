"""Runs side by side: their models on the same images, in tables and on a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from bas_tf import files
from bas_tf.comparison.compared_runs import (
    Run,
    differing_settings,
    evaluated_images_of,
    group_runs,
    paired_difference,
    read_runs,
)
from bas_tf.errors import UserError
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.jobs import (
    evaluation,
    evaluation_options,
    experiment,
    output_check,
    results,
)
from bas_tf.report import cases, compared_images, comparison_page
from bas_tf.report.compared_images import ComparedImage, compared_image

JSON_FILE, TABLE_FILE = "comparison.json", "comparison.md"
PAGE_FILE = "comparison.html"


def compare_runs(
    paths: Sequence[Path],
    output: Path,
    *,
    split: str | None = None,
    data_root: str | None = None,
    max_images: int = 24,
    on_bad_image: str = "error",
) -> dict:
    """Compares runs and writes OUTPUT/comparison.json, .md and .html.

    Args:
      paths: see `read_runs`.
      output: gets the files, each whole or not at all.
      split: what the workdirs' models are run on; None takes the first one's
        eval.split.
      data_root: replaces the first workdir's data.root.
      max_images: at most so many on the page.
      on_bad_image: "error" or "skip", see `bad_images`.

    Returns:
      The content of comparison.json, see `bas_tf.compare`.

    Raises:
      UserError: an output that cannot be written; fewer than two runs, one that is
        none or was not evaluated, workdirs of other classes or data, or what evaluating
        them finds wrong. None of the three files is written then.
    """
    outputs = [output / name for name in (JSON_FILE, TABLE_FILE, PAGE_FILE)]
    output_check.check_outputs(outputs, models=paths)
    runs = read_runs(paths)
    workdirs = [run for run in runs if run.trained]
    for run in workdirs[:1]:  # its images are read
        config = _at_root(run.trained.config, data_root)
        output_check.check_outputs(outputs, config=config, splits=[split or ""])
    same, sections, left_out = None, {}, None
    if len(workdirs) < 2:
        left_out = (
            "Maps and differences over the same images are left out: they need two "
            f"workdirs, whose models can be run, and {len(workdirs)} of the "
            f"{len(runs)} runs is one."
        )
    else:
        evaluated = _evaluate_all(
            workdirs,
            split=split or workdirs[0].trained.config.eval.split,
            data_root=data_root,
            on_bad_image=on_bad_image,
            skipped_dir=output,
        )
        same, sections = _compare_evaluated(evaluated, max_images)
    settings = differing_settings(runs)
    document = {
        "runs": [_row(run, settings[run.name]) for run in runs],
        "groups": [[run.name for run in group] for group in group_runs(runs)],
        "same_images": same,
        "left_out": left_out,
    }
    _write(output, document, sections)
    return document


def _write(output: Path, document: dict, sections: dict) -> None:
    files.write_json(output / JSON_FILE, document)
    text = comparison_page.markdown(document)
    files.write_file(output / TABLE_FILE, f"{text}\n".encode(errors="replace"))
    comparison_page.write_page(output / PAGE_FILE, document, sections)


def _row(run: Run, settings: Mapping[str, Any]) -> dict:
    """A run in comparison.json."""
    document = run.document
    return {
        "name": run.name,
        "path": str(run.path),
        "seed": document["seed"],
        **results.settings_of(document),
        "ten_crop_precision": document.get("ten_crop_precision"),
        "data": evaluated_images_of(run),
        "settings": dict(settings),
        "figures": _figures(document),
    }


def _figures(document: Mapping) -> dict[str, dict]:
    """{name: value and interval} of what a metrics.json has of the table's figures."""
    return {
        key: {
            "value": document["metrics"][key],
            "interval_95": document["intervals_95"].get(key),
        }
        for key in comparison_page.FIGURES
        if key in document["metrics"]
    }


def _evaluate_all(
    runs: Sequence[Run], *, split: str, data_root: str | None, **options
) -> dict[str, EvaluationResult]:
    """{run's name: its evaluation} on the images of the first one; options as
    `Evaluator`.

    Images are not kept in memory; what is shown of them is read again.
    """
    _check_alike(runs, split)
    first = _at_root(runs[0].trained.config, data_root)
    first.data.cache = False
    evaluated = {}
    for place, run in enumerate(runs, 1):
        logging.info("%s, %d of %d", run.path, place, len(runs))
        config = _evaluation_config(run.trained.config, first)
        evaluated[run.name] = _evaluate(run, config, split=split, **options)
    return evaluated


def _at_root(config, data_root: str | None):
    """A copy, with another data.root where one is given."""
    config = config.copy_and_resolve_references()
    if data_root is not None:
        config.data.root = data_root
    return config


def _evaluation_config(own, first):
    """The first run's images and rules at a run's own size and threshold."""
    config = first.copy_and_resolve_references()
    config.data.resize_size = own.data.resize_size
    config.data.crop_size = own.data.crop_size
    config.eval.score_threshold = own.eval.score_threshold
    return config


def _evaluate(run: Run, config, **options) -> EvaluationResult:
    runner = experiment.load_runner(
        run.path,
        scores_precision=evaluation_options.scores_precision(config),
        views=config.eval.views,
    )
    evaluator = evaluation.Evaluator(
        config,
        class_names=runner.class_names,
        config_name=run.document["config"],
        **options,
    )
    return evaluator.evaluate(runner, model=str(run.path), seed=run.document["seed"])


def _check_alike(runs: Sequence[Run], split: str) -> None:
    """Raises UserError for other classes or other images than the first run's.

    A data.root may differ: folders are moved, and the first one's is read for all.
    """
    first = runs[0]
    for run in runs[1:]:
        ours, theirs = run.trained.class_names, first.trained.class_names
        if ours != theirs:
            pairs = zip([*ours, None], [*theirs, None], strict=False)
            own, other = next(pair for pair in pairs if pair[0] != pair[1])
            raise UserError(
                f"{run.path}: has {len(ours)} classes, {first.path} has {len(theirs)}; "
                f"the first that differs is {own!r} against {other!r}: compare runs "
                "of the same classes"
            )
        own, other = (
            experiment.images_of(each.trained.config, split) for each in (run, first)
        )
        for key in other:
            if key != "data.root" and own.get(key) != other[key]:
                raise UserError(
                    f"{run.path}: has {key}={own.get(key)!r}, {first.path} has "
                    f"{other[key]!r}: split {split!r} is of other images; compare "
                    "their metrics.json files instead"
                )


def _compare_evaluated(
    evaluated: Mapping[str, EvaluationResult], max_images: int
) -> tuple[dict, dict[str, list[ComparedImage]]]:
    """`same_images` of comparison.json, and the images of the page by section."""
    reference, first = next(iter(evaluated.items()))
    spreads = _spreads(evaluated)
    chosen = compared_images.choose_images(spreads, count=max_images)
    sections = {
        title: [compared_image(evaluated, int(i)) for i in images]
        for title, images in zip(comparison_page.SECTIONS, chosen, strict=True)
    }
    same = {
        **results.settings_of(first.document),
        "num_images_with_boxes": len(first.truth.images),
        "reference": reference,
        "rows": [
            {
                "name": name,
                "score_threshold": each.document["score_threshold"],
                "figures": _figures(each.document),
                "difference": {} if each is first else paired_difference(each, first),
            }
            for name, each in evaluated.items()
        ],
        "images": [
            _image_entry(evaluated, int(i), spreads) for i in np.concatenate(chosen)
        ],
    }
    del same["score_threshold"]  # each row has its own
    return same, sections


def _spreads(evaluated: Mapping[str, EvaluationResult]) -> np.ndarray:
    """How far apart the runs are, image by image: [images], see `compared_images`."""
    first = next(iter(evaluated.values()))
    if len(first.truth.images):
        ious = [each.evaluation.per_image["iou"] for each in evaluated.values()]
        return compared_images.iou_spreads(np.stack(ious))
    return compared_images.map_spreads([j.predictions.maps for j in evaluated.values()])


def _image_entry(
    evaluated: Mapping[str, EvaluationResult], index: int, spreads: np.ndarray
) -> dict[str, Any]:
    """A shown image in comparison.json."""
    first = next(iter(evaluated.values()))
    return {
        "image_id": first.records[index].image_id,
        "class": first.class_names[first.predictions.labels[index]],
        "spread": _number(spreads[index]),
        "runs": {name: _answer(each, index) for name, each in evaluated.items()},
    }


def _answer(evaluated: EvaluationResult, index: int) -> dict[str, Any]:
    case = cases.case_of(evaluated, index)
    return {
        "iou": _number(case.iou),
        "box": evaluated.evaluation.per_image["box"][index].astype(float).tolist(),
        "predicted_class": case.predicted_class,
        "score": _number(case.score),
    }


def _number(value: float) -> float | None:
    """What JSON can hold: None for NaN."""
    return None if np.isnan(value) else float(value)
