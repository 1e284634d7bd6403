"""Errors that a user can fix: one line that names the file or the setting."""

from collections.abc import Iterable


class UserError(ValueError):
    """A user error in a setting, a flag or a file; entry points print it and exit 2."""


class DataError(UserError):
    """A fault in the user's data."""


def one_line(error: Exception) -> str:
    """The error's message with whitespace collapsed to single spaces."""
    return " ".join(str(error).split())


def check_choice(key: str, choice: str, known: Iterable[str]) -> None:
    """Raises UserError if a setting's value is not a known one."""
    if choice not in known:
        raise UserError(f"{key} is {choice!r}; known: {', '.join(known)}")


def check_at_least(key: str, value: int, least: int) -> None:
    """Raises UserError if a setting's value is below its minimum."""
    if value < least:
        raise UserError(f"{key} is {value}; {least} or more")
