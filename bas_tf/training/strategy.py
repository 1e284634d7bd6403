"""The one strategy object that a run is built on."""

import tensorflow as tf

from bas_tf.errors import UserError


def make_strategy(kind: str) -> tf.distribute.Strategy:
    """Builds a strategy.

    Args:
      kind: "default", one device; "mirrored", every visible GPU, or every logical
        CPU device when there is none.

    Raises:
      UserError: an unknown kind.
    """
    if kind == "default":
        return tf.distribute.get_strategy()
    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU")
        devices = devices or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    raise UserError(f"train.strategy is {kind!r}; known: default, mirrored")


def check_batch(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Raises UserError when a global batch does not divide over the replicas."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(
            f"data.batch_size is {batch_size}, which does not divide over "
            f"{replicas} replicas"
        )
