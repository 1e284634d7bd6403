"""How many calls a server gets at a time, and how long it is waited for."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator

from bas_tf.export.client.served import ServingError

SHORT_OF_PATIENCE = 10  # what a timeout is divided by once a call waited in vain


class Deadline:
    """The end of a call, whatever the call waits for."""

    def __init__(self, seconds: float):
        self.seconds, self.start = seconds, time.monotonic()
        self.end = self.start + seconds

    def seconds_left(self) -> float:
        """How long may still be waited; more than 0.

        Raises:
          TimeoutError: the end has come.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


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
        self._answered_at, self._in_vain = -math.inf, False
        self._slowest_answer = 0.0  # seconds
        self._changed = threading.Condition()

    def deadline(self, timeout_s: float) -> Deadline:
        """A call's: `timeout_s`, but less once a call waited in vain.

        So a folder of photos does not wait its whole time for a server that is gone,
        photo by photo. A server that is only slow still has the time to answer.
        """
        if not self._in_vain:
            return Deadline(timeout_s)
        short = max(timeout_s / SHORT_OF_PATIENCE, 2 * self._slowest_answer)
        return Deadline(min(timeout_s, short))

    @contextlib.contextmanager
    def turn(self, deadline: Deadline) -> Iterator[None]:
        """Waits for a place; the block makes one attempt and raises what it met.

        Raises:
          TimeoutError: the deadline came first.
        """
        with self._changed:
            wait = deadline.seconds_left()
            if not self._changed.wait_for(lambda: self._under_way < self.limit, wait):
                raise TimeoutError
            self._under_way += 1
        began = time.monotonic()
        try:
            yield
            self._answered(began)
        except ServingError as error:
            self._lower(began) if error.later else self._answered(began)
            raise
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def gave_up(self, deadline: Deadline) -> None:
        """A call has spent its patience."""
        self._in_vain = self._answered_at < deadline.start

    def _answered(self, began: float) -> None:
        with self._changed:
            self._answered_at, self._in_vain = time.monotonic(), False
            seconds = self._answered_at - began
            self._slowest_answer = max(self._slowest_answer, seconds)
            self.limit += 1 / self.limit

    def _lower(self, began: float) -> None:
        with self._changed:
            if began > self._lowered_at:
                self.limit = max(1, min(self.limit, self._under_way) // 2)
                self._lowered_at = time.monotonic()
