"""How many calls are let through, by hand."""

import contextlib
import math
import time

import pytest

from bas_tf.export.client.pace import Pace
from bas_tf.export.client.served import ServingError


def turn(pace: Pace, seconds: float = 1):
    return pace.turn(time.monotonic() + seconds)


def calls(pace: Pace, answered: int, refused: int = 0) -> None:
    """So many at a time; the refused ones end first."""
    turns = [turn(pace) for _ in range(answered + refused)]
    for one in turns:
        one.__enter__()
    for i, one in enumerate(turns):
        error = ServingError("full", later=True) if i < refused else None
        with contextlib.suppress(ServingError):
            one.__exit__(error and type(error), error, None)


def test_a_refused_call_loses_its_place_and_a_round_of_answers_adds_one():
    pace = Pace()
    calls(pace, 16)
    assert pace.limit == math.inf  # before the first "later"
    calls(pace, 0, refused=11)
    assert pace.limit == 1  # never none
    pace = Pace()
    with contextlib.ExitStack() as five:  # those that the server takes
        for _ in range(5):
            five.enter_context(turn(pace))
        calls(pace, 0, refused=11)
        assert pace.limit == 5
    assert 5.9 < pace.limit <= 6


def test_a_call_beyond_the_limit_waits_until_another_ends():
    pace = Pace()
    calls(pace, 0, refused=2)
    with turn(pace), pytest.raises(TimeoutError), turn(pace, 0.05):
        pass
    with turn(pace):
        pass


def test_after_a_call_in_vain_the_next_ones_are_short_until_one_is_answered():
    pace = Pace()
    pace.gave_up(time.monotonic())
    assert pace.patience(60) == 6
    calls(pace, 0, refused=1)
    assert pace.patience(60) == 6
    calls(pace, 1)
    assert pace.patience(60) == 60
    began = time.monotonic()
    calls(pace, 1)  # others are answered meanwhile
    pace.gave_up(began)
    assert pace.patience(60) == 60
