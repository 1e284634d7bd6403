"""What must not lose precision: scores, sigmoids, ratios and losses."""

import contextlib
import platform
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from bas_tf.errors import check_choice

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_INSTRUCTIONS = {  # of x86 processors, as Linux names them
    "mixed_bfloat16": {"avx512_bf16", "amx_bf16"},
    "mixed_float16": {"avx512_fp16", "amx_fp16"},
}
_CPU_FLAGS = Path("/proc/cpuinfo")


def at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Half-precision and integer values as float32; float32 and float64 stay."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


@contextlib.contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Layers built inside compute in this precision; their variables are float32.

    Args:
      precision: one of `PRECISIONS`.

    Raises:
      UserError: an unknown precision.
    """
    check_choice("train.precision", precision, PRECISIONS)
    if not computes_natively(precision):
        logging.warning(
            "this machine has no instructions for %s and emulates them: on a processor "
            "without bfloat16 a step took ten times as long as in float32",
            precision,
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def computes_natively(precision: str) -> bool:
    """Whether the device has instructions for it; True where that cannot be known."""
    if precision not in _INSTRUCTIONS:
        return True
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        oldest = (8, 0) if precision == "mixed_bfloat16" else (7, 0)
        return details.get("compute_capability", oldest) >= oldest
    return has_cpu_instructions(*_INSTRUCTIONS[precision])


def has_cpu_instructions(*alternatives: str) -> bool:
    """Whether this processor has one of them; True where that cannot be known."""
    if platform.machine() != "x86_64" or not _CPU_FLAGS.is_file():
        return True
    return not set(alternatives).isdisjoint(_CPU_FLAGS.read_text("ascii").split())
