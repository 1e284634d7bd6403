"""Ten steps of a narrow MobileNetV1: what they come to, on any strategy.

python -m tests.training.ten_steps multi_worker OUT     see `write`
python -m tests.training.ten_steps multi_worker_forever OUT
    steps until it is ended, touching OUT/beat_<worker>
"""

import contextlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.training import strategy, train_step
from bas_tf.training.optimizer import TorchSGD
from tests.fixtures.networks import in_float64
from tests.training.narrow import narrow_localizer

STEPS, BATCH, RATE = 10, 8, 1e-4
# dtype, whether BatchNorm is synchronized, steps.
RUNS = (("float64", True, STEPS), ("float32", False, 2))


def batches(worker: tuple[int, int]) -> tf.data.Dataset:
    """A worker's share of ten batches of coloured squares, all unlike each other."""
    rng = np.random.default_rng(0)
    images = np.zeros([STEPS * BATCH, 64, 64, 3], np.uint8)
    labels = rng.integers(0, 3, len(images)).astype(np.int32)
    for image, label in zip(images, labels, strict=True):
        image[:] = rng.integers(0, 128, 3) + rng.integers(0, 128, image.shape)
        y, x = rng.integers(0, 40, 2)
        image[y : y + 24, x : x + 24] = np.eye(3)[label] * 255
    which, count = worker
    share = {names.IMAGES: images, names.LABELS: labels}
    share = {
        key: np.split(v.reshape(STEPS, BATCH, *v.shape[1:]), count, axis=1)[which]
        for key, v in share.items()
    }
    return tf.data.Dataset.from_tensor_slices(share)


def take_steps(
    distribution, *, synchronized: bool, steps: int
) -> dict[str, np.ndarray]:
    """Losses, weights and moving statistics after some of the ten steps."""
    keras.utils.set_random_seed(0)
    with distribution.scope():
        localizer = narrow_localizer(
            normalize_generator_input=True, synchronized_batch_norm=synchronized
        )
        # The same in both dtypes; Keras draws other numbers in float64.
        rng = np.random.default_rng(0)
        for kernel in localizer.trainable_variables:
            if "kernel" in kernel.name:
                shape = kernel.shape
                fan_in = np.prod(shape[: 2 if "depthwise" in kernel.path else 3])
                kernel.assign(rng.normal(0, np.sqrt(2 / fan_in), shape))
        # Activations far from 0: L_bas divides by them.
        localizer.backbone.head.layers[-1].convolutions[-1].bias.assign([2.0] * 3)
        optimizer = TorchSGD(RATE)
        optimizer.build(localizer.trainable_variables)
    step = train_step.make_train_step(
        localizer=localizer,
        optimizer=optimizer,
        strategy=distribution,
        method=train_step.Method(alpha=0.5, beta=1.2, background_wins="gradient"),
        bas_active=True,
        batch_size=BATCH,
    )
    losses = [
        step(batch)[names.LOSS].numpy()
        for batch, _ in zip(
            strategy.distribute(distribution, batches), range(steps), strict=False
        )
    ]
    values = {v.path: v.numpy() for v in localizer.variables}
    replicas = {
        f"replicas/{v.path}": np.stack(
            [r.numpy() for r in distribution.experimental_local_results(v.value)]
        )
        for v in localizer.non_trainable_variables
    }
    return {"losses": np.array(losses), **values, **replicas}


def forever(distribution, beat: Path) -> None:
    """All-reduces until another worker is lost."""

    @tf.function
    def step():
        def add():
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.ones([10]))

        return strategy_sum(distribution.run(add))

    def strategy_sum(value):
        return distribution.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)

    with strategy.noticing_lost_workers(distribution):
        while True:
            step()
            beat.touch()


def write(kind: str, out: Path, distribution) -> None:
    """OUT/KIND_<worker>.npz: the images of every step, and what `RUNS` came to."""
    which, _ = strategy.worker_of(distribution)
    parts = [
        np.concatenate(distribution.experimental_local_results(batch[names.IMAGES]))
        for batch in strategy.distribute(distribution, batches)
    ]
    found = {"images": np.stack(parts)}
    for dtype, synchronized, steps in RUNS:
        with in_float64() if dtype == "float64" else contextlib.nullcontext():
            result = take_steps(distribution, synchronized=synchronized, steps=steps)
        found |= {f"{dtype}/{synchronized}/{k}": v for k, v in result.items()}
    np.savez(out / f"{kind}_{which}.npz", **found)


def main(kind: str, out: Path) -> None:
    distribution = strategy.make_strategy(kind.removesuffix("_forever"))
    if kind.endswith("_forever"):
        which, _ = strategy.worker_of(distribution)
        forever(distribution, out / f"beat_{which}")
    write(kind, out, distribution)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
