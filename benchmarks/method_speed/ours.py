"""Our side: the step of the training loop, and prediction."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.jobs import experiment
from bas_tf.jobs import training as training_job
from bas_tf.models.localizer import Localizer
from bas_tf.ops import determinism
from bas_tf.training import strategy, train_step
from benchmarks.method_speed import cases


def build(
    *,
    phase: str,
    backbone: str,
    classes: int,
    size: int,
    threads: int,
    precision: str = "float32",
) -> dict[str, Callable[[], None]]:
    """{task of the phase: what it runs}; the training step is traced.

    Nothing may have run before, since `threads` is what TensorFlow may use.
    """
    use_threads(threads)
    determinism.make_deterministic()
    config = cases.load_config(backbone, classes, size)
    localizer = build_localizer(config, classes, precision=precision)
    if phase == "train":
        return {"train": training(config, localizer)}
    in_graph = network_in_graph(localizer)
    return {
        task: to_numpy(in_graph, cases.noise(cases.BATCHES[task], classes, size)[0])
        for task in cases.PHASES[phase]
    }


def use_threads(threads: int) -> None:
    """Holds TensorFlow to as many threads; before anything runs."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def build_localizer(config, classes: int, *, precision: str = "float32") -> Localizer:
    """A localizer with fresh weights, the same ones each time."""
    keras.utils.set_random_seed(0)
    return experiment.build_model(config, classes, precision=precision)


def training(config, localizer: Localizer) -> Callable[[], None]:
    """One call of the training step on one batch, which `training.loop` makes alike."""
    step = make_step(config, localizer)
    images, labels = train_batch(config, localizer)
    batch = {names.IMAGES: images, names.LABELS: labels}
    step.get_concrete_function(batch)

    def train() -> None:
        values = {key: value.numpy() for key, value in step(batch).items()}
        check_loss(values[names.LOSS])

    return train


def train_batch(config, localizer: Localizer) -> list[tf.Tensor]:
    """Images and labels of a step."""
    size, batch = config.data.crop_size[0], config.data.batch_size
    return [tf.constant(v) for v in cases.noise(batch, localizer.num_classes, size)]


def make_step(config, localizer: Localizer) -> Callable:
    """The very function that `training.loop` calls, made as the job does."""
    return train_step.make_train_step(
        localizer=localizer,
        optimizer=make_optimizer(config, localizer),
        strategy=strategy.make_strategy(config.train.strategy),
        method=train_step.Method(
            **config.loss,
            batch_statistics=config.train.batch_statistics,
            accumulation_steps=config.train.accumulation_steps,
            jit_compile=config.train.jit_compile,
        ),
        bas_active=True,
        batch_size=config.data.batch_size,
    )


def make_optimizer(config, localizer: Localizer) -> keras.optimizers.Optimizer:
    """The paper's, with its rate groups."""
    optimizer = training_job.build_optimizer(config, steps_per_epoch=1000)
    optimizer.build(localizer.trainable_variables)
    return optimizer


def check_loss(loss: float) -> None:
    """Raises RuntimeError where it is not finite: NaN takes another time."""
    if not np.isfinite(loss):
        raise RuntimeError(f"the loss is {loss}")


def to_numpy(in_graph: Callable, *arrays: np.ndarray) -> Callable[[], list]:
    """One call of a function, from NumPy to NumPy."""
    return lambda: [value.numpy() for value in in_graph(*map(tf.constant, arrays))]


def network_in_graph(localizer: Localizer):
    """`inference.predict` without its box: scores, the best class's map, its CAM."""

    @tf.function
    def in_graph(images):
        outputs = localizer(images, training=False)
        scores = tf.nn.softmax(outputs[names.LOGITS])
        return scores, outputs[names.LOCALIZATION_MAP], outputs[names.CAM]

    return in_graph
