"""The paper's ablation: trains and evaluates every row, gathers them in one table."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from bas_tf import files
from bas_tf.data.records import Record
from bas_tf.errors import UserError, check_choice
from bas_tf.evaluators import bas_protocol
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.jobs import (
    evaluation,
    evaluation_options,
    experiment,
    results,
    resuming,
    training,
)
from bas_tf.metrics.localization import LABEL
from bas_tf.report import ablation_table
from bas_tf.training import train_step

JSON_FILE, TABLE_FILE = "ablation.json", "ablation.md"


def run_ablation(config, workdir: Path, *, config_name: str = "") -> dict | None:
    """Trains the rows that are not trained yet and evaluates all of them.

    Args:
      config: with a group `ablation`, see configs/ablation.py.
      workdir: each row trains in a folder of its name, an ordinary training workdir.

    Returns:
      The content of ablation.json, see `bas_tf.ablate`; None where SIGTERM came while
      a row was trained. The row is saved, and goes on with the next call.

    Raises:
      UserError: a mistake in the config or the data, a row's folder that holds another
        training, or a split without true boxes.
    """
    base, ablation = split_config(config)
    configs = row_configs(base, ablation)
    source = experiment.open_source(base)
    records = source.records(base.eval.split)
    _check_boxes(records, base)
    evaluator = evaluation.Evaluator(
        base,
        split=base.eval.split,
        class_names=source.class_names,
        config_name=config_name,
    )
    evaluated = {}
    for name, row_config in configs.items():
        logging.info("row %s, %d of %d", name, len(evaluated) + 1, len(configs))
        if not _train(row_config, workdir / name, source.class_names):
            return None
        evaluated[name] = _evaluate(evaluator, row_config, workdir / name)
        _write_row(evaluated[name], workdir / name)
    trained, num_classes = ablation.top_k_row, len(source.class_names)
    for top_k in other_top_ks(base.model.top_k, ablation.top_k, num_classes):
        row_config = configs[trained].copy_and_resolve_references()
        row_config.model.top_k = top_k
        evaluated[f"{trained}_top{top_k}"] = _evaluate(
            evaluator, row_config, workdir / trained
        )
    document = evaluated[trained].document
    keys = ("protocol", "split", "num_images", "config", "seed")
    return {
        **{key: document[key] for key in keys},
        "rows": [_row(name, row, records) for name, row in evaluated.items()],
    }


def split_config(config):
    """(an ordinary config, the group `ablation`); UserError for a mistake in it."""
    base = config.copy_and_resolve_references()
    if "ablation" not in base:
        raise UserError(
            "--config has no rows to compare; name configs/ablation.py:VARIANT"
        )
    ablation = base.ablation
    with base.unlocked():
        del base["ablation"]
    base.eval.map_class = LABEL  # the table is about GT-known Loc
    for name in ablation.order:
        check_choice("a row of ablation.order", name, ablation.rows)
    check_choice("ablation.top_k_row", ablation.top_k_row, ablation.order)
    return base, ablation


def row_configs(base, ablation) -> dict:
    """{row's name: its ordinary config} in order, checked before hours of training."""
    configs = {}
    for name in ablation.order:
        configs[name] = base.copy_and_resolve_references()
        configs[name].loss.update(ablation.rows[name])
        train_step.Method(**configs[name].loss)
    return configs


def other_top_ks(base: int, top_ks: Sequence[int], num_classes: int) -> list[int]:
    """What is left to evaluate: ascending, unique, at most the number of classes."""
    possible = {min(top_k, num_classes) for top_k in top_ks}
    return sorted(possible - {min(base, num_classes)})


def _check_boxes(records: Sequence[Record], config) -> None:
    boxes = [r.boxes_original for r in records if r.boxes_original is not None]
    if not any((b[:, 2:] > b[:, :2]).all(axis=1).any() for b in boxes):
        raise UserError(
            f"split {config.eval.split!r} of {config.data.root or config.data.source} "
            "has no true boxes, which the ablation's figures are made of"
        )


def _train(config, workdir: Path, class_names: tuple[str, ...]) -> bool:
    """Whether a row is trained to its end, now or before: evaluation comes last."""
    if (workdir / results.METRICS_FILE).is_file():
        resuming.check_workdir(workdir, config, class_names)
        return True
    return training.run_training(config, workdir, evaluated_split=config.eval.split)


def _evaluate(evaluator: evaluation.Evaluator, config, workdir: Path):
    """A trained row at the config's top-k and threshold."""
    trained = experiment.load_experiment(workdir)
    trained.config.model.top_k = config.model.top_k
    localizer = experiment.load_localizer(trained)
    runner = experiment.keras_runner(
        localizer,
        trained.config,
        trained.class_names,
        score_threshold=config.eval.score_threshold,
        scores_precision=evaluation_options.scores_precision(config),
    )
    evaluated = evaluator.evaluate(runner, model=str(workdir), seed=config.train.seed)
    return dataclasses.replace(evaluated, config=config)


def _write_row(evaluated: EvaluationResult, workdir: Path) -> None:
    """The files that bas_tf.train leaves too."""
    rows = [
        *results.baseline_rows(evaluated),
        results.table_row("keras", evaluated.document["metrics"]),
    ]
    results.write_results(evaluated, workdir, rows)


def _row(name: str, evaluated: EvaluationResult, records: Sequence[Record]) -> dict:
    """A row's settings and figures, at the config's threshold and at its own best."""
    at_best = bas_protocol.evaluate_predictions(
        evaluated.predictions,
        evaluated.truth,
        records=records,
        score_threshold=evaluated.document["score_threshold"],
        threshold_origin="oracle",
    )
    config, document = evaluated.config, evaluated.document
    return {
        "name": name,
        "terms": generator_terms(config.loss),
        "top_k": config.model.top_k,
        "top1_acc": document["metrics"]["top1_acc"],
        "mean_map": document["metrics"].get("mean_map"),
        "at": {
            document["threshold_origin"]: _figures(
                document["score_threshold"], document["metrics"]
            ),
            "oracle": _figures(at_best.score_threshold, at_best.metrics),
        },
    }


def _figures(score_threshold: float, metrics) -> dict[str, float]:
    figures = {key: float(metrics[key]) for key in ablation_table.FIGURES}
    return {"score_threshold": float(score_threshold), **figures}


def generator_terms(loss) -> str:
    """What is added to L_cls, as "L_bas + 0.5 L_frg + 1.2 L_ac"."""
    weights = {"L_frg": loss.alpha, "L_ac": loss.beta}
    weighted = [f"{weight:g} {term}" for term, weight in weights.items() if weight]
    return " + ".join([f"L_{loss.objective}", *weighted])


def write_results(document: dict, workdir: Path) -> None:
    """WORKDIR/ablation.json and ablation.md, each whole or not at all."""
    files.write_json(workdir / JSON_FILE, document)
    table = ablation_table.ablation_table(document)
    files.write_file(workdir / TABLE_FILE, f"{table}\n".encode())
