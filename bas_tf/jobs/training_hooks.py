"""What a training logs, draws and validates between its steps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bas_tf import inference, names
from bas_tf.data import pipeline
from bas_tf.jobs import evaluation, experiment
from bas_tf.metrics.by_class import means_by_class
from bas_tf.metrics.localization import LABEL
from bas_tf.report import pictures
from bas_tf.training import checkpoint, hooks

PICTURES, PICTURE_COLUMNS, PICTURE_HEIGHT = 16, 4, 112
TENSORBOARD_FOLDER = "tensorboard"


def writing_hooks(
    config, workdir: Path, localizer, sgd, images, class_names: Sequence[str],
    on_bad_image: str, *, first_step: int, steps_per_epoch: int,
) -> tuple[list[hooks.Hook], list[hooks.Hook]]:  # fmt: skip
    """What the first worker writes of each step, and of each epoch once it is saved."""
    every, total = config.train.log_every_steps, config.train.epochs * steps_per_epoch
    log = workdir / experiment.LOG_FILE
    logs = [
        hooks.progress_bar(total_steps=total, first_step=first_step),
        hooks.jsonl_log(log, every_steps=every, first_step=first_step),
        hooks.tensorboard_log(
            workdir / TENSORBOARD_FOLDER,
            every_steps=every,
            draw_pictures=picture_drawer(config, localizer, images),
        ),
    ]
    if not experiment.selects_best(config):
        return logs, []
    validate, saver = make_validation(
        config, workdir, localizer, sgd, class_names, on_bad_image
    )
    keep_best = hooks.keep_best(
        validate,
        saver,
        workdir,
        log=hooks.tensorboard_validation(workdir / TENSORBOARD_FOLDER / "val"),
        metric=config.train.select_by,
        first_step=first_step,
        steps_per_epoch=steps_per_epoch,
    )
    return logs, [keep_best]


def make_validation(config, workdir, localizer, sgd, class_names, on_bad_image):
    """(validate, saver) as `hooks.keep_best` takes them.

    What is evaluated is a copy: as inference would have the weights, in float32, on one
    device. The centre crop alone, once, whatever eval.ten_crop and eval.views say of
    the final evaluation.
    """
    config = config.copy_and_resolve_references()
    config.eval.ten_crop, config.eval.views, config.model.weights = False, "", ""
    evaluated = experiment.build_model(config, len(class_names))
    evaluator = evaluation.Evaluator(
        config, split="val", class_names=class_names,
        on_bad_image=on_bad_image, skipped_dir=workdir,
    )  # fmt: skip
    runner = experiment.keras_runner(
        evaluated, config, class_names, score_threshold=config.eval.score_threshold
    )

    def validate() -> hooks.Validation:
        checkpoint.copy_for_inference(localizer, sgd, onto=evaluated)
        found = evaluator.evaluate(runner, model=str(workdir))
        is_right = found.evaluation.per_image["correct"]
        if found.predictions.map_class != LABEL:
            return hooks.Validation(found.document["metrics"], gt_known_by_class={})
        means = means_by_class(is_right, found.predictions.labels, len(class_names))
        by_class = dict(zip(class_names, means.tolist(), strict=True))
        return hooks.Validation(
            figures=found.document["metrics"],
            gt_known_by_class={c: v for c, v in by_class.items() if not np.isnan(v)},
        )

    saver = checkpoint.Checkpointer(
        workdir, evaluated, folder=checkpoint.BEST_FOLDER, keep=1
    )
    return validate, saver


def picture_drawer(config, localizer, images):
    """As `hooks.tensorboard_log` takes it: training images, always the same ones.

    They are evenly picked. Of each, the photo and its current map, with the box.
    """
    predict_fn = inference.make_predict_fn(
        localizer, score_threshold=config.eval.score_threshold
    )
    picked = np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        crops = pipeline.centre_crops(
            images, picked, crop_size_wh=tuple(config.data.crop_size)
        )
        outputs = predict_fn(crops)
        maps = outputs[names.LOCALIZATION_MAP]
        panels = [
            pictures.panel(
                crop, localization_map=m, box=box, tile_height=PICTURE_HEIGHT
            )
            for crop, m, box in zip(crops, maps, outputs[names.BOXES], strict=True)
        ]
        sheet = pictures.contact_sheet(
            panels, columns=PICTURE_COLUMNS, titles=("box", "foreground map")
        )
        return sheet, maps.mean(axis=(1, 2))

    return draw
