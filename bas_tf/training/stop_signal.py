"""SIGTERM, as machines that are taken back send it, becomes a request to stop."""

import contextlib
import signal
from collections.abc import Callable, Iterator

import tensorflow as tf

from bas_tf.training.strategy import worker_of


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, yields a function that says whether SIGTERM has come.

    A second SIGTERM ends the process at once.
    """
    received = []

    def handle(number, frame):
        received.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)


def agreed(
    strategy: tf.distribute.Strategy, requested: Callable[[], bool]
) -> Callable[[], bool]:
    """Whether any worker has been asked; all of them must ask after the same step."""
    if worker_of(strategy)[1] == 1:
        return requested

    @tf.function(autograph=False)
    def count(asked):
        return strategy.reduce("SUM", strategy.run(lambda: asked), axis=None)

    return lambda: bool(count(tf.constant(int(requested()))) > 0)
