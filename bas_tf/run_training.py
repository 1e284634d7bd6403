"""One training run from a config: builds the parts, hands them to the loop."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from absl import logging

from bas_tf import (
    experiment,
    inference,
    names,
    repeatability,
    run_evaluation,
    visualize,
)
from bas_tf.data import bad_images, listing, pipeline, preprocess
from bas_tf.data.class_counts import (
    check_every_class_has_images,
    check_several_classes,
)
from bas_tf.data.folder import FolderSource
from bas_tf.data.records import Record
from bas_tf.errors import check_at_least
from bas_tf.metrics.by_class import means_by_class
from bas_tf.metrics.localization import LABEL
from bas_tf.training import (
    checkpoint,
    hooks,
    loop,
    optimizer,
    stop_signal,
    strategy,
    train_step,
)

PICTURES, PICTURE_COLUMNS, PICTURE_HEIGHT = 16, 4, 112
TENSORBOARD_FOLDER = "tensorboard"
POSITIVE = (  # (group, key) of settings that count something
    ("data", "batch_size"),
    ("train", "log_every_steps"),
    ("train", "keep_checkpoints"),
)


def run_training(
    config,
    workdir: Path,
    *,
    on_bad_image: str = "error",
    judged_split: str | None = None,
) -> bool:
    """Trains as the config says, from the workdir's newest checkpoint if it has one.

    `train.epochs` 0 makes a workdir of the weights that `model.weights` names.
    `on_bad_image` is "error" or "skip", see `bad_images`, which lists in the workdir.
    `judged_split` is what will be judged afterwards: nothing begins without it, or with
    a mistake in the eval group.
    SIGTERM to any worker saves the step at hand and ends the training. Of several
    workers the first writes; all read the workdir.

    Returns:
      Whether this process is to judge it: it came to its end, and this is the first
      worker.

    Raises:
      UserError: a mistake in the config or the data, a workdir of another run, or
        another worker that is gone.
      TrainingDivergedError: a loss is not finite.
    """
    # Before anything else runs TensorFlow, as several workers need.
    distribution = strategy.make_strategy(config.train.strategy)
    with strategy.noticing_lost_workers(distribution):
        is_at_end = _train(config, workdir, distribution, on_bad_image, judged_split)
    if not is_at_end:
        logging.info(
            "%s: stopped by SIGTERM, all steps are saved; the same command continues",
            workdir,
        )
    return is_at_end and strategy.is_chief(distribution)


def _train(
    config, workdir: Path, distribution, on_bad_image: str, judged_split: str | None
) -> bool:
    """Returns whether the training came to its end."""
    repeatability.repeat_to_the_bit()
    _check_settings(config)
    method = train_step.Method(
        **config.loss,
        batch_statistics=config.train.batch_statistics,
        accumulation_steps=config.train.accumulation_steps,
        jit_compile=config.train.jit_compile,
    )
    train_step.check_parts(
        config.data.batch_size,
        distribution.num_replicas_in_sync,
        method.accumulation_steps,
    )
    source = experiment.open_source(config)
    experiment.check_workdir(workdir, config, source.class_names)
    _log_unread(source)
    opened = source
    source = bad_images.guard_source(source, on_bad_image=on_bad_image, folder=workdir)
    records = _training_records(config, source)
    if judged_split is not None:
        run_evaluation.check_before_training(
            config, opened, judged_split, on_bad_image=on_bad_image
        )
    images = experiment.training_images(config, records)
    photos = experiment.photo_set(records)
    experiment.check_photos(workdir, photos)
    steps = pipeline.num_batches(images, config.data.batch_size)
    keras.utils.set_random_seed(config.train.seed)
    with distribution.scope():
        localizer = experiment.build_model(
            config,
            len(source.class_names),
            precision=config.train.precision,
            synchronized_batch_norm=config.train.synchronized_batch_norm,
        )
    experiment.load_start(localizer, config, source.class_names)
    with distribution.scope():
        sgd = build_optimizer(config, steps)
        sgd.build(localizer.trainable_variables)
    checkpointer = checkpoint.Checkpointer(
        workdir, localizer, sgd,
        keep=config.train.keep_checkpoints,
        asynchronous=config.train.asynchronous_checkpoints,
    )  # fmt: skip
    steps_done = checkpointer.restore()
    writes = strategy.is_chief(distribution)
    if writes:
        experiment.write_experiment(workdir, config, source.class_names, photos=photos)
    if writes and config.train.epochs == 0 and steps_done is None:
        checkpointer.save(0)
        checkpointer.finish()
    first_step = steps_done or 0
    if first_step:
        logging.info(
            "%s: continues after step %d of %d",
            workdir, first_step, config.train.epochs * steps,
        )  # fmt: skip
    log_hooks = []
    if writes:
        log_hooks = _log_hooks(config, workdir, localizer, images, first_step, steps)
    judging_hooks = []
    if writes and experiment.selects_best(config):
        validate, saver = _make_validation(
            config, workdir, localizer, sgd, source.class_names, on_bad_image
        )
        judging_hooks = [
            hooks.keep_best(
                validate, saver, workdir,
                log=hooks.tensorboard_validation(workdir / TENSORBOARD_FOLDER / "val"),
                metric=config.train.select_by,
                first_step=first_step,
                steps_per_epoch=steps,
            )
        ]  # fmt: skip
    with (
        stop_signal.stop_requests() as stop_requested,
        pipeline.reading(images),
        checkpointer.finishing(),
        contextlib.suppress(hooks.TrainingStoppedError),
    ):
        loop.train(
            localizer=localizer,
            optimizer=sgd,
            strategy=distribution,
            method=method,
            epoch_batches=_make_epoch_batches(config, images, distribution),
            steps_per_epoch=steps,
            batch_size=config.data.batch_size,
            first_step=first_step,
            epochs=config.train.epochs,
            classifier_epochs=config.train.classifier_epochs,
            hooks=[
                *log_hooks,
                hooks.warn_of_collapse(),
                hooks.warn_of_dead_class_maps(len(source.class_names)),
                hooks.save_checkpoints(
                    checkpointer if writes else None,
                    every_steps=config.train.checkpoint_every_steps,
                    stop_requested=stop_signal.agreed(distribution, stop_requested),
                ),
                *judging_hooks,
            ],
        )
        return True
    return False


def _check_settings(config) -> None:
    """What would be a division by zero, or no crop of an image, many lines later."""
    for group, key in POSITIVE:
        check_at_least(f"{group}.{key}", config[group][key], 1)
    preprocess.check_sizes(config.data.resize_size, config.data.crop_size)


def _training_records(config, source) -> Sequence[Record]:
    """The training split.

    Raises:
      DataError: a single class, one without images, or what the source finds wrong.
    """
    records = source.records("train")
    if config.train.epochs:
        check_several_classes(source.class_names)
        check_every_class_has_images(records, source.class_names, "train")
    return records


def _log_unread(source) -> None:
    """One line that counts what lies in the training folders and is no photo."""
    if not isinstance(source, FolderSource):
        return
    unread = [name for name, _ in listing.unread_files(source.root / "train")]
    if unread:
        logging.warning(
            "%s: skipped %d entries that are no photos: %s%s",
            source.root / "train", len(unread), ", ".join(unread[:3]),
            ", …" * (len(unread) > 3),
        )  # fmt: skip


def _make_epoch_batches(config, images: pipeline.TrainingImages, distribution):
    """(epoch, first batch) -> the distributed batches of the epoch from that one on."""

    def epoch_batches(epoch: int, first_batch: int):
        def share_of(worker: tuple[int, int]):
            return pipeline.train_batches(
                images,
                crop_size_wh=tuple(config.data.crop_size),
                batch_size=config.data.batch_size,
                seed=config.train.seed,
                epoch=epoch,
                first_batch=first_batch,
                worker=worker,
            )

        return strategy.distribute(distribution, share_of)

    return epoch_batches


def build_optimizer(config, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The config's optimizer, its schedule counted in steps."""
    options = config.optimizer
    schedule = optimizer.make_schedule(
        kind=options.schedule,
        base_rate=options.base_rate,
        total_steps=config.train.epochs * steps_per_epoch,
        warmup_steps=options.warmup_steps,
        drop_factor=options.drop_factor,
        drop_steps=tuple(epoch * steps_per_epoch for epoch in options.drop_epochs),
    )
    return optimizer.make_optimizer(
        options.kind,
        schedule,
        momentum=options.momentum,
        l2=options.l2,
        clip_norm=options.clip_norm,
        ema=options.ema,
        scale_losses=config.train.precision == "mixed_float16",
    )


def _log_hooks(config, workdir, localizer, images, first_step, steps):
    every = config.train.log_every_steps
    return [
        hooks.progress_bar(
            total_steps=config.train.epochs * steps, first_step=first_step
        ),
        hooks.jsonl_log(
            workdir / experiment.LOG_FILE, every_steps=every, first_step=first_step
        ),
        hooks.tensorboard_log(
            workdir / TENSORBOARD_FOLDER,
            every_steps=every,
            draw_pictures=_picture_drawer(config, localizer, images),
        ),
    ]


def _make_validation(config, workdir, localizer, sgd, class_names, on_bad_image):
    """(validate, saver) as `hooks.keep_best` takes them.

    What is judged is a copy: as inference would have the weights, in float32, on one
    device. The centre crop alone, whatever eval.ten_crop says of the final judgement.
    """
    config = config.copy_and_resolve_references()
    config.eval.ten_crop, config.model.weights = False, ""
    judged = experiment.build_model(config, len(class_names))
    judge = run_evaluation.Judge(
        config, split="val", class_names=class_names,
        on_bad_image=on_bad_image, skipped_dir=workdir,
    )  # fmt: skip
    runner = experiment.keras_runner(
        judged, config, class_names, score_threshold=config.eval.score_threshold
    )

    def validate() -> hooks.Validation:
        checkpoint.copy_for_inference(localizer, sgd, onto=judged)
        found = judge.judge(runner, model=str(workdir))
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
        workdir, judged, folder=checkpoint.BEST_FOLDER, keep=1
    )
    return validate, saver


def _picture_drawer(config, localizer, images):
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
            visualize.panel(
                crop, localization_map=m, box=box, tile_height=PICTURE_HEIGHT
            )
            for crop, m, box in zip(crops, maps, outputs[names.BOXES], strict=True)
        ]
        sheet = visualize.contact_sheet(
            panels, columns=PICTURE_COLUMNS, titles=("box", "foreground map")
        )
        return sheet, maps.mean(axis=(1, 2))

    return draw
