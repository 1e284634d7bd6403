"""One training run from a config: builds the parts, hands them to the loop."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
from absl import logging

from bas_tf import names
from bas_tf.data import bad_images, pipeline, preprocess
from bas_tf.data.class_counts import (
    check_every_class_has_images,
    check_several_classes,
)
from bas_tf.data.records import Record, Source
from bas_tf.data.sources import check_has_split
from bas_tf.errors import UserError, check_at_least
from bas_tf.evaluators import figures
from bas_tf.jobs import evaluation_options, experiment, resuming, training_hooks
from bas_tf.ops import determinism
from bas_tf.training import (
    checkpoint,
    hooks,
    loop,
    optimizer,
    stop_signal,
    strategy,
    train_step,
)

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
    evaluated_split: str | None = None,
) -> bool:
    """Trains as the config says, from the workdir's newest checkpoint if it has one.

    `train.epochs` 0 makes a workdir of the weights that `model.weights` names.
    `on_bad_image` is "error" or "skip", see `bad_images`, which lists in the workdir.
    `evaluated_split` is what will be evaluated afterwards: nothing begins without it,
    or with a mistake in the eval group. SIGTERM to any worker saves the step at hand
    and ends the training. Of several workers the first writes; all read the workdir.

    Returns:
      Whether this process is to evaluate it: it came to its end, and this is the first
      worker.

    Raises:
      UserError: a mistake in the config or the data, a workdir of another run, or
        another worker that is gone.
      TrainingDivergedError: a loss is not finite.
    """
    if rounds := config.train.self_training_rounds:
        raise UserError(
            f"train.self_training_rounds is {rounds}, which is for bas_tf.train; set "
            "it to 0"
        )
    # Before anything else runs TensorFlow, as several workers need.
    distribution = strategy.make_strategy(config.train.strategy)
    with strategy.noticing_lost_workers(distribution):
        is_at_end = _train(config, workdir, distribution, on_bad_image, evaluated_split)
    if not is_at_end:
        logging.info(
            "%s: stopped by SIGTERM, all steps are saved; the same command continues",
            workdir,
        )
    return is_at_end and strategy.is_chief(distribution)


def _train(
    config, workdir: Path, distribution, on_bad_image: str, evaluated_split: str | None
) -> bool:
    """Returns whether the training came to its end."""
    determinism.make_deterministic()
    method = _make_method(config, distribution)
    source, records = _open_training_data(
        config, workdir, on_bad_image, evaluated_split
    )
    images = _training_images(config, records, source.class_names)
    photos = resuming.photo_set(records)
    resuming.check_photos(workdir, photos)
    steps = pipeline.num_batches(images, config.data.batch_size)
    localizer, sgd = _build_network(config, distribution, source.class_names, steps)
    no_object = names.no_object_id(source.class_names)
    checkpointer, steps_done = _restore(config, workdir, localizer, sgd, steps)
    first_step = steps_done or 0
    writes = strategy.is_chief(distribution)
    log_hooks, hooks_after = [], []
    if writes:
        resuming.write_experiment(workdir, config, source.class_names, photos=photos)
        if config.train.epochs == 0 and steps_done is None:
            checkpointer.save(0)
            checkpointer.finish()
        log_hooks, hooks_after = training_hooks.writing_hooks(
            config, workdir, localizer, sgd, images, source.class_names, on_bad_image,
            first_step=first_step, steps_per_epoch=steps,
        )  # fmt: skip
    with (
        stop_signal.stop_requests() as stop_requested,
        pipeline.reading(images),
        checkpointer.finishing(),
        contextlib.suppress(hooks.TrainingStoppedError),
    ):
        save = hooks.save_checkpoints(
            checkpointer if writes else None,
            every_steps=config.train.checkpoint_every_steps,
            stop_requested=stop_signal.agreed(distribution, stop_requested),
        )
        loop.train(
            localizer=localizer,
            optimizer=sgd,
            strategy=distribution,
            method=dataclasses.replace(method, no_object=no_object),
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
                save,
                *hooks_after,
            ],
        )
        return True
    return False


def _restore(config, workdir: Path, localizer, sgd, steps_per_epoch: int):
    """The checkpointer of a workdir, and the steps done; None before the first one."""
    checkpointer = checkpoint.Checkpointer(
        workdir,
        localizer,
        sgd,
        keep=config.train.keep_checkpoints,
        asynchronous=config.train.asynchronous_checkpoints,
    )
    steps_done = checkpointer.restore()
    if steps_done:
        total = config.train.epochs * steps_per_epoch
        logging.info("%s: continues after step %d of %d", workdir, steps_done, total)
    return checkpointer, steps_done


def _training_images(config, records: Sequence[Record], class_names: Sequence[str]):
    """The training split; how many of it have a pseudo-mask is logged."""
    images = experiment.training_images(config, records, class_names)
    if images.masks is not None:
        logging.log(
            logging.INFO if images.masks.count else logging.WARNING,
            "%s: masks of %d of %d training photos",
            images.masks.folder, images.masks.count, len(images),
        )  # fmt: skip
    return images


def _make_method(config, distribution) -> train_step.Method:
    """The method's settings, after a check of all that count something."""
    for group, key in POSITIVE:
        check_at_least(f"{group}.{key}", config[group][key], 1)
    preprocess.check_sizes(config.data.resize_size, config.data.crop_size)
    if config.loss.positives == "all" and config.train.synchronized_batch_norm:
        raise UserError(
            "loss.positives is 'all', with which replicas hold unequal batches: set "
            "train.synchronized_batch_norm to False"
        )
    method = train_step.Method(
        **config.loss,
        batch_statistics=config.train.batch_statistics,
        accumulation_steps=config.train.accumulation_steps,
        jit_compile=config.train.jit_compile,
        classifier_scale=config.train.classifier_scale,
        uses_masks=bool(config.data.pseudo_masks),
        label_maps=config.model.map_outputs == "softmax",
    )
    train_step.check_parts(
        config.data.batch_size,
        distribution.num_replicas_in_sync,
        method.accumulation_steps,
    )
    return method


def _open_training_data(
    config, workdir: Path, on_bad_image: str, evaluated_split: str | None
) -> tuple[Source, Sequence[Record]]:
    """The source and its training split, after all checks of both splits.

    Raises:
      DataError: a single class, one without images, or what the source finds wrong.
    """
    opened = experiment.open_source(config)
    resuming.check_workdir(workdir, config, opened.class_names)
    source = bad_images.guard_source(opened, on_bad_image=on_bad_image, folder=workdir)
    records = source.records("train")
    if config.train.epochs:
        check_several_classes(source.class_names)
        check_every_class_has_images(records, source.class_names, "train")
    if evaluated_split is not None:
        _check_evaluation(config, opened, evaluated_split, on_bad_image=on_bad_image)
    return source, records


def _check_evaluation(config, source: Source, split: str, *, on_bad_image: str) -> None:
    """What makes the evaluation after a training impossible is found before it.

    Raises:
      UserError: a mistake in the eval group or the split; unreadable photos in it.
    """
    evaluation_options.check_options(config)
    chosen_on_val = config.eval.threshold_origin == figures.VAL_OPTIMAL
    uses_val = chosen_on_val or config.train.select_by
    for name in dict.fromkeys([split, *["val"] * bool(uses_val)]):
        check_has_split(source, name)
        kept, faults = bad_images.readable_records(source.records(name))
        if faults and (on_bad_image == "error" or not kept):
            raise UserError(f"{faults[0]}; {len(faults)} such photos in split {name!r}")


def _build_network(config, distribution, class_names, steps_per_epoch: int):
    """The localizer with its first weights, and its optimizer."""
    keras.utils.set_random_seed(config.train.seed)
    with distribution.scope():
        localizer = experiment.build_model(
            config,
            len(class_names),
            precision=config.train.precision,
            synchronized_batch_norm=config.train.synchronized_batch_norm,
        )
    resuming.load_start(localizer, config, class_names)
    with distribution.scope():
        sgd = build_optimizer(config, steps_per_epoch)
        sgd.build(localizer.trainable_variables)
    return localizer, sgd


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
        poly_total_steps=options.poly_total_steps,
        drop_steps=tuple(epoch * steps_per_epoch for epoch in options.drop_epochs),
    )
    return optimizer.make_optimizer(
        options.kind,
        schedule,
        momentum=options.momentum,
        nesterov=options.nesterov,
        l2=options.l2,
        bias_rate=options.bias_rate,
        clip_norm=options.clip_norm,
        ema=options.ema,
        scale_losses=config.train.precision == "mixed_float16",
    )
