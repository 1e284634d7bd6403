"""Long JSON lists, written one entry at a time."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO


def write_list(file: BinaryIO, entries: Iterable[Mapping[str, Any]]) -> None:
    """Writes a list of one entry a line.

    Raises:
      ValueError: a value is NaN or infinite, which JSON does not have.
    """
    separator = "["
    for entry in entries:
        file.write(f"{separator}\n{json.dumps(entry, allow_nan=False)}".encode())
        separator = ","
    file.write(b"[]" if separator == "[" else b"\n]")
