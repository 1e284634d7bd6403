"""The metadata of a TFLite file, in the zip archive appended to the model."""

import json
import zipfile
import zlib
from pathlib import Path

from bas_tf import names
from bas_tf.errors import UserError

DOCUMENT_FILE, DOCUMENT_FORMAT = "bas_tf.json", "bas_tf localizer 1"
# What a truncated, changed or missing archive raises.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


def read_tflite_document(path: Path) -> dict:
    """The document that `bas_tf.export.litert.metadata` put into a TFLite file.

    Its "class_names" are those of the labels.txt in the file.

    Raises:
      UserError: the file is truncated, not a localizer's, or without metadata.
    """
    try:
        with path.open("rb") as file:
            identifier = file.read(8)[4:]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if identifier != b"TFL3":
        raise not_a_localizer(path, "it does not begin as one")
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(DOCUMENT_FILE))
            labels = archive.read(names.LABELS_FILE).decode()
    except _UNREADABLE as error:
        raise not_a_localizer(
            path, "it was cut off, or its labels and metadata were removed"
        ) from error
    except KeyError as error:
        raise not_a_localizer(path, str(error.args[0])) from error
    except ValueError as error:
        raise not_a_localizer(path, f"its metadata: {error}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != DOCUMENT_FORMAT:
        raise not_a_localizer(
            path, f"its {DOCUMENT_FILE} is of format {found!r}, not {DOCUMENT_FORMAT!r}"
        )
    if labels.removesuffix("\n").split("\n") != document.get("class_names"):
        raise not_a_localizer(
            path, f"{names.LABELS_FILE} and {DOCUMENT_FILE} in it name other classes"
        )
    return document


def not_a_localizer(path: Path, reason: str) -> UserError:
    """The error for a file that `export.tflite` did not write."""
    return UserError(
        f"{path}: not a localizer's TFLite file ({reason}); expected one that "
        "export.tflite wrote"
    )
