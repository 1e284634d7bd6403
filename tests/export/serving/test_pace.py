"""How many calls are let through, by hand."""

import contextlib
import math
import time

import pytest

from bas_tf.export.client.pace import Pace
from bas_tf.export.client.served import ServingError


def turn(pace: Pace, seconds: float = 1):
    return pace.turn(time.monotonic() + seconds)


def calls(pace: Pace, count: int, *, later: bool = False) -> None:
    """So many at a time, all answered or all refused."""
    turns = [turn(pace) for _ in range(count)]
    for one in turns:
        one.__enter__()
    for one in turns:
        error = ServingError("full", later=True) if later else None
        with contextlib.suppress(ServingError):
            one.__exit__(type(error) if later else None, error, None)


def test_each_round_that_is_refused_halves_and_each_that_is_answered_adds_one():
    pace = Pace()
    calls(pace, 16)
    assert pace.limit == math.inf  # before the first "later"
    calls(pace, 16, later=True)
    assert pace.limit == 8  # once, not for each of the sixteen
    calls(pace, 8)
    assert 8.9 < pace.limit <= 9
    calls(pace, 9, later=True)
    assert pace.limit == 4
    for _ in range(5):
        calls(pace, 1, later=True)
    assert pace.limit == 1  # never none


def test_a_call_beyond_the_limit_waits_until_another_ends():
    pace = Pace()
    calls(pace, 2, later=True)
    with turn(pace), pytest.raises(TimeoutError), turn(pace, 0.05):
        pass
    with turn(pace):
        pass


def test_after_a_call_in_vain_the_next_ones_are_short_until_one_is_answered():
    pace = Pace()
    pace.gave_up(time.monotonic())
    assert pace.patience(60) == 6
    calls(pace, 1, later=True)
    assert pace.patience(60) == 6
    calls(pace, 1)
    assert pace.patience(60) == 60
    began = time.monotonic()
    calls(pace, 1)  # others are answered meanwhile
    pace.gave_up(began)
    assert pace.patience(60) == 60
