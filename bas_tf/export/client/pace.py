"""How many calls a server gets at a time, and how long it is waited for."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator

from bas_tf.export.client.served import ServingError

SHORT_OF_PATIENCE = 10  # what a timeout is divided by once a call waited in vain


class Pace:
    """Fewer calls at a time when the server says "later", slowly more again.

    Additive increase, multiplicative decrease: the first "later" halves the calls
    under way, and so does each later one whose call began after the last halving. An
    answer to each of so many calls allows one more. A single call is always allowed.

    Attributes:
      limit: how many calls may be under way.
    """

    def __init__(self):
        self.limit, self._under_way, self._lowered_at = math.inf, 0, -math.inf
        self._answered_at, self._in_vain, self._slowest = -math.inf, False, 0.0
        self._changed = threading.Condition()

    def patience(self, timeout_s: float) -> float:
        """A call's seconds: `timeout_s`, but less once a call waited in vain.

        So a folder of photos does not wait its whole time for a server that is gone,
        photo by photo. A server that is only slow still has the time to answer.
        """
        short = max(timeout_s / SHORT_OF_PATIENCE, 2 * self._slowest)
        return min(timeout_s, short) if self._in_vain else timeout_s

    def gave_up(self, began: float) -> None:
        """A call that began then has spent its patience."""
        self._in_vain = self._answered_at < began

    @contextlib.contextmanager
    def turn(self, end: float) -> Iterator[None]:
        """Waits for a place; the block makes one attempt and raises its failure.

        Raises:
          TimeoutError: there is none before `end`, by time.monotonic.
        """
        with self._changed:
            wait = end - time.monotonic()
            if not self._changed.wait_for(lambda: self._under_way < self.limit, wait):
                raise TimeoutError
            self._under_way += 1
        began = time.monotonic()
        try:
            yield
            self._answered(began)
        except ServingError as error:
            self._refused(began) if error.later else self._answered(began)
            raise
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _answered(self, began: float) -> None:
        with self._changed:
            self._answered_at, self._in_vain = time.monotonic(), False
            self._slowest = max(self._slowest, self._answered_at - began)
            self.limit += 1 / self.limit

    def _refused(self, began: float) -> None:
        with self._changed:
            if began > self._lowered_at:
                self.limit = max(1, min(self.limit, self._under_way) // 2)
                self._lowered_at = time.monotonic()
