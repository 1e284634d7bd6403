"""One training run from a config: builds the parts, hands them to the loop."""

from pathlib import Path

import keras
import numpy as np
from absl import logging

from bas_tf import experiment, inference, names, visualize
from bas_tf.data import bad_images, pipeline
from bas_tf.data.class_counts import check_every_class_has_images
from bas_tf.training import checkpoint, hooks, loop, optimizer, strategy, train_step

PICTURES = 8


def run_training(config, workdir: Path, *, on_bad_image: str = "error") -> None:
    """Trains as the config says, from the workdir's newest checkpoint if it has one.

    `train.epochs` 0 makes a workdir of the weights that `model.weights` names.
    `on_bad_image` is "error" or "skip", see `bad_images`, which lists in the workdir.

    Raises:
      UserError: a mistake in the config or the data, or a workdir of another run.
      TrainingDivergedError: a loss is not finite.
    """
    method = train_step.Method(
        **config.loss, batch_statistics=config.train.batch_statistics
    )
    source = experiment.open_source(config)
    experiment.check_workdir(workdir, config, source.class_names)
    source = bad_images.guard_source(source, on_bad_image=on_bad_image, folder=workdir)
    records = source.records("train")
    if config.train.epochs:
        check_every_class_has_images(records, source.class_names, "train")
    distribution = strategy.make_strategy(config.train.strategy)
    strategy.check_batch(distribution, config.data.batch_size)
    images = pipeline.TrainingImages(
        records,
        resize_size_wh=tuple(config.data.resize_size),
        keep=config.data.cache,
    )
    steps = pipeline.num_batches(images, config.data.batch_size)
    keras.utils.set_random_seed(config.train.seed)
    with distribution.scope():
        localizer = experiment.build_model(config, len(source.class_names))
        sgd = build_optimizer(config, steps)
        sgd.build(localizer.trainable_variables)
        checkpointer = checkpoint.Checkpointer(workdir, localizer, sgd)
        epochs_done = checkpointer.restore()
    experiment.write_experiment(workdir, config, source.class_names)
    if epochs_done:
        logging.info("%s: continues after epoch %d", workdir, epochs_done)
    if config.train.epochs == 0 and epochs_done is None:
        checkpointer.save(0)
    first_epoch = epochs_done or 0

    def epoch_batches(epoch: int):
        batches = pipeline.train_batches(
            images,
            crop_size_wh=tuple(config.data.crop_size),
            batch_size=config.data.batch_size,
            seed=config.train.seed,
            epoch=epoch,
        )
        return distribution.experimental_distribute_dataset(batches)

    with pipeline.reading(images):
        loop.train(
            localizer=localizer,
            optimizer=sgd,
            strategy=distribution,
            method=method,
            epoch_batches=epoch_batches,
            steps_per_epoch=steps,
            batch_size=config.data.batch_size,
            first_epoch=first_epoch,
            epochs=config.train.epochs,
            classifier_epochs=config.train.classifier_epochs,
            hooks=[
                *_log_hooks(config, workdir, localizer, images, first_epoch, steps),
                hooks.warn_of_collapse(),
                hooks.warn_of_dead_class_maps(len(source.class_names)),
                hooks.save_checkpoints(checkpointer),
            ],
        )


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
        options.kind, schedule, momentum=options.momentum, l2=options.l2
    )


def _log_hooks(config, workdir, localizer, images, first_epoch, steps):
    first_step = first_epoch * steps
    every = config.train.log_every_steps
    return [
        hooks.progress_bar(
            total_steps=config.train.epochs * steps, first_step=first_step
        ),
        hooks.jsonl_log(
            workdir / experiment.LOG_FILE, every_steps=every, first_step=first_step
        ),
        hooks.tensorboard_log(
            workdir / "tensorboard",
            every_steps=every,
            draw_pictures=_picture_drawer(config, localizer, images),
        ),
    ]


def _picture_drawer(config, localizer, images):
    """A few training images with their current map and box, evenly picked."""
    predict_fn = inference.make_predict_fn(
        localizer, score_threshold=config.eval.score_threshold
    )
    picked = np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)

    def draw() -> np.ndarray:
        crops = pipeline.centre_crops(
            images, picked, crop_size_wh=tuple(config.data.crop_size)
        )
        outputs = predict_fn(crops)
        return np.stack(
            [
                visualize.overlay(crop, localization_map, boxes=[box])
                for crop, localization_map, box in zip(
                    crops, outputs[names.LOCALIZATION_MAP], outputs[names.BOXES],
                    strict=True,
                )
            ]
        )  # fmt: skip

    return draw
