"""How many calls are let through, by hand."""

import contextlib
import math

import pytest

from bas_tf.export.client.pace import Deadline, Pace
from bas_tf.export.client.served import ServingError


def calls(pace: Pace, count: int, *, later: bool = False) -> None:
    """So many at a time, answered or all told to come later."""
    turns = [pace.turn(Deadline(1)) for _ in range(count)]
    for turn in turns:
        turn.__enter__()
    for turn in turns:
        error = ServingError("full", later=True) if later else None
        with contextlib.suppress(ServingError):
            turn.__exit__(type(error) if later else None, error, None)


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
    calls(pace, 4, later=True)
    first, second = pace.turn(Deadline(1)), pace.turn(Deadline(1))
    first.__enter__()
    with second, pytest.raises(TimeoutError), pace.turn(Deadline(0.05)):
        pass
    with pace.turn(Deadline(1)):
        pass


def test_after_a_call_in_vain_the_next_ones_are_short_until_one_is_answered():
    pace = Pace()
    pace.gave_up(pace.deadline(60))
    assert pace.deadline(60).seconds == 6
    calls(pace, 1, later=True)
    assert pace.deadline(60).seconds == 6
    calls(pace, 1)
    assert pace.deadline(60).seconds == 60
    waiting = pace.deadline(60)
    calls(pace, 1)  # others are answered meanwhile
    pace.gave_up(waiting)
    assert pace.deadline(60).seconds == 60
