"""Writes torch's zip file format without torch, for tests of its reader."""

import io
import zipfile

import pytest

from tests.models.weights.legacy_torch import legacy_file, state_dict_pickle


def zip_file(tensors: dict[str, tuple], content: bytes | None = None) -> bytes:
    """A checkpoint file; the arguments of `legacy_file`."""
    return zip_of(zip_entries(tensors, content))


def zip_entries(tensors: dict[str, tuple], content: bytes | None = None):
    """{name: bytes} of the entries, for a test to spoil."""
    content = state_dict_pickle(tensors) if content is None else content
    entries = {  # a storage of the legacy format has one field more, which is None
        "archive/data.pkl": content.replace(b"NtQ", b"tQ"),
        "archive/byteorder": b"little",
        "archive/version": b"3\n",
    }
    for key, values, *_ in tensors.values():
        entries[f"archive/data/{key}"] = values.tobytes()
    return entries


def zip_of(entries: dict[str, bytes], *, compression=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


both_formats = pytest.mark.parametrize("written", [legacy_file, zip_file])
