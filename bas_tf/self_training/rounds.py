"""A training, and rounds of it that go on from masks which it made itself."""

import math
from pathlib import Path

from bas_tf.errors import UserError, check_at_least
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.jobs import evaluation, experiment, results, resuming, training
from bas_tf.segmentation import choices, seed_files
from bas_tf.self_training import teacher_masks
from bas_tf.self_training.corrected_boxes import read_corrected_boxes


def train_and_evaluate(
    config, workdir: Path, *, config_name: str, on_bad_image: str = "error"
) -> EvaluationResult | None:
    """Trains, evaluates split eval.split, and writes metrics.json and the report.

    None where this process has nothing to evaluate, see `training.run_training`.
    """
    options = {"on_bad_image": on_bad_image}
    if not run_training(config, workdir, evaluated_split=config.eval.split, **options):
        return None
    evaluated = evaluation.evaluate_model(
        workdir,
        config,
        split=config.eval.split,
        config_name=config_name,
        skipped_dir=workdir,
        **options,
    )
    rows = [
        *results.baseline_rows(evaluated),
        results.table_row("keras", evaluated.document["metrics"]),
    ]
    results.write_results(evaluated, workdir, rows)
    return evaluated


def run_training(
    config, workdir: Path, *, on_bad_image: str = "error", **options
) -> bool:
    """`training.run_training` with the rounds of `train.self_training_rounds`.

    The teacher of round 1 is a training in `teacher_1/` of the workdir, its masks lie
    in `teacher_1_masks/`, and so on; the last student's workdir is the workdir itself.
    What is done already is not done again: the same call continues wherever it was
    stopped.
    """
    *teachers, student = stages(config, workdir)
    if teachers:
        _check_before_training(config, [*teachers, student])
    for teacher, folder in teachers:
        if not training.run_training(
            teacher, folder, on_bad_image=on_bad_image, **options
        ):
            return False
        _write_masks(folder, config, on_bad_image=on_bad_image)
    return training.run_training(*student, on_bad_image=on_bad_image, **options)


def _check_before_training(config, trainings: list[tuple]) -> None:
    """What would stop a later training, or masks, is found before the first."""
    source = experiment.open_source(config)
    for stage, folder in trainings:
        resuming.check_workdir(folder, stage, source.class_names)
    if boxes := config.data.corrected_boxes:
        read_corrected_boxes(boxes, source, source.records("train"))


def _write_masks(teacher: Path, config, **options) -> None:
    """Masks of a teacher's training photos; of several classes a photo label maps."""
    masks = masks_of(teacher)
    if config.loss.classification == "single":
        teacher_masks.write_masks(teacher, config, masks, **options)
        return
    loaded = experiment.load_experiment(teacher)
    chosen = {"split": "train", "labels": "true", "refine": "crf", "maps": "bas"}
    if not choices.has_softmax(loaded):
        chosen["maps"] = "both"
        chosen["threshold"] = str(config.train.self_training_threshold)
    chosen = choices.choices_for(loaded, config, **chosen)
    seed_files.write_label_maps(loaded, config, masks, chosen, **options)


def stages(config, workdir: Path) -> list[tuple]:
    """The trainings of a config, in order: (its config, its workdir), the last's own.

    Raises:
      UserError: a setting that does not go with rounds.
    """
    rounds = config.train.self_training_rounds
    check_at_least("train.self_training_rounds", rounds, 0)
    if not rounds:
        return [(config, workdir)]
    if config.train.strategy.startswith(("multi_worker", "tpu")):
        raise UserError(
            f"train.self_training_rounds is {rounds}, which works in one process, not "
            f"with train.strategy={config.train.strategy!r}: run bas_tf.refine, then "
            "train with data.pseudo_masks"
        )
    if config.loss.classification == "multilabel":
        choices.check_uncorrected(config)
    first = config.copy_and_resolve_references()
    first.train.self_training_rounds = 0
    folders = [*(workdir / f"teacher_{i + 1}" for i in range(rounds)), workdir]
    later = [_student(first, teacher) for teacher in folders[:-1]]
    for student in later[:-1]:  # it only has to make better masks
        student.train.epochs = math.ceil(config.train.self_training_epochs / 2)
    first.data.corrected_boxes = ""  # it has no masks that they could correct
    return list(zip([first, *later], folders, strict=True))


def masks_of(teacher: Path) -> Path:
    """The folder of a teacher's masks."""
    return teacher.with_name(f"{teacher.name}_masks")


def _student(config, teacher: Path):
    """The config of a training that goes on from a teacher, on its masks."""
    student = config.copy_and_resolve_references()
    student.model.weights = str(teacher)
    student.data.pseudo_masks = str(masks_of(teacher))
    student.optimizer.schedule = "cosine"
    student.optimizer.base_rate = config.train.self_training_rate
    student.train.epochs = config.train.self_training_epochs
    student.train.classifier_epochs = 0
    if config.loss.classification == "multilabel":
        student.model.map_outputs = "softmax"
    return student
