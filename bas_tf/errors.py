"""Errors that a user can fix: one line that names the file or the setting."""

import importlib
from collections.abc import Iterable
from types import ModuleType


class UserError(ValueError):
    """A user error in a setting, a flag or a file; entry points print it and exit 2."""


class DataError(UserError):
    """A fault in the user's data."""


def one_line(error: Exception) -> str:
    """The error's message with whitespace collapsed to single spaces."""
    return " ".join(str(error).split())


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports what only an optional extra of the package installs.

    Raises:
      UserError: it is not there; the message has the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{module.partition('.')[0]} cannot be imported ({one_line(error)}); "
            f"install it with: pip install 'bas_tf[{extra}]'"
        ) from error


def check_choice(key: str, choice: str, known: Iterable[str]) -> None:
    """Raises UserError if a setting's value is not a known one."""
    if choice not in known:
        raise UserError(f"{key} is {choice!r}; known: {', '.join(known)}")


def check_at_least(key: str, value: int, least: int) -> None:
    """Raises UserError if a setting's value is below its minimum."""
    if value < least:
        raise UserError(f"{key} is {value}; {least} or more")
