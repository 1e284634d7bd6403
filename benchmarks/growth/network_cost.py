"""A training step and inference of one point; a side of `method_speed.turns`."""

from collections.abc import Callable

from benchmarks.method_speed import cases, ours, plain_port

BACKBONE = "mobilenet_v1"


def build(
    *, side: str, task: str, classes: int, size: int, batch: int, threads: int
) -> dict[str, Callable[[], None]]:
    """{task: what it runs}.

    Args:
      side: "ours" or "plain".
      task: "train" or "inference", whose batch is the same.
      classes, size, batch: the point.
      threads: that TensorFlow may use.
    """
    ours.use_threads(threads)
    config = cases.load_config(BACKBONE, classes, size)
    config.data.batch_size = batch
    localizer = ours.build_localizer(config, classes)
    module = {"ours": ours, "plain": plain_port}[side]
    if task == "train":
        return {task: module.training(config, localizer)}
    images, labels = cases.noise(batch, classes, size)
    inputs = (images,) if side == "ours" else (images, labels)
    return {task: module.network(localizer, *inputs)}
