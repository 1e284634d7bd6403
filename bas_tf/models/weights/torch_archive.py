"""The two containers of torch.save, opened without torch: what they hold, and where.

Opening reads the pickles and compares every promised size with the file; values are
read later, one storage at a time.
"""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from bas_tf.models.weights.torch_unpickler import StateDictUnpickler, Storage

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
ZIP_START = b"PK\x03\x04"
Opened = tuple[object, Callable[[Storage], bytes]]


def open_archive(stream: io.BufferedReader) -> Opened:
    """Opens a torch file of either format, positioned at its start.

    Returns:
      The object that was saved, its tensors as StoredTensor; and what reads the bytes
      of a storage, at least `storage.nbytes`.

    Raises:
      ValueError, pickle.UnpicklingError, zipfile.BadZipFile and what else reading
        a damaged file can raise; the reader may, too.
    """
    start = stream.peek(64)[:64]
    if not start:
        raise ValueError("it is empty")
    if start.lstrip().startswith(b"<"):
        raise ValueError("it is a web page")
    if start.startswith(ZIP_START):
        return _open_zip(stream)
    return _open_legacy(stream)


def _open_zip(stream: io.BufferedReader) -> Opened:
    """torch >= 1.6: <folder>/data.pkl, and each storage as <folder>/data/<key>."""
    archive = zipfile.ZipFile(stream)
    for entry in archive.infolist():
        _check_entry(entry, _size(stream))
    folder = _find_folder(archive)
    unpickler = StateDictUnpickler(io.BytesIO(archive.read(f"{folder}/data.pkl")))
    content = unpickler.load()
    byte_order = f"{folder}/byteorder"  # torch >= 2.1 writes it
    if byte_order in archive.namelist():
        _check_byte_order(archive.read(byte_order) == b"little")
    for storage in unpickler.storages.values():
        size = archive.getinfo(f"{folder}/data/{storage.key}").file_size
        if size < storage.nbytes:
            raise ValueError(
                f"storage {storage.key} has {size} bytes of {storage.nbytes}"
            )
    return content, lambda storage: archive.read(f"{folder}/data/{storage.key}")


def _check_entry(entry: zipfile.ZipInfo, size: int) -> None:
    """torch never compresses, so no entry may claim more bytes than the file has."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed, which torch.save never does")
    if entry.file_size != entry.compress_size or entry.file_size > size:
        raise ValueError(f"{entry.filename} claims {entry.file_size} bytes")


def _find_folder(archive: zipfile.ZipFile) -> str:
    paths = [Path(name) for name in archive.namelist()]
    folders = [p.parts[0] for p in paths if p.parts[1:] == ("data.pkl",)]
    if len(folders) != 1:
        raise ValueError(f"a zip file with {len(folders)} entries data.pkl")
    return folders[0]


def _open_legacy(stream: io.BufferedReader) -> Opened:
    """torch < 1.6: pickles, then each storage as its count (int64) and its values.

    The pickles are: magic number, protocol, platform, the content, and the keys of
    the storages in file order.
    """
    if StateDictUnpickler(stream).load() != LEGACY_MAGIC:
        raise ValueError("not a torch file of the legacy or the zip format")
    _, platform = (StateDictUnpickler(stream).load() for _ in range(2))
    _check_byte_order(platform.get("little_endian", True))
    unpickler = StateDictUnpickler(stream)
    content = unpickler.load()
    keys = StateDictUnpickler(stream).load()
    places = _find_places(stream, unpickler.storages, keys)

    def read(storage: Storage) -> bytes:
        stream.seek(places[storage.key])
        return stream.read(storage.nbytes)

    return content, read


def _find_places(
    stream: io.BufferedReader, storages: dict[str, Storage], keys
) -> dict[str, int]:
    """{key: position of its first value}; stops at the first wrong size."""
    places, size = {}, _size(stream)
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        if count != storages[key].count:
            raise ValueError(
                f"storage {key} has {count} values of {storages[key].count}"
            )
        places[key] = stream.tell()
        if places[key] + storages[key].nbytes > size:
            raise ValueError(f"it ends within storage {key}")
        stream.seek(storages[key].nbytes, os.SEEK_CUR)
    missing = storages.keys() - places.keys()
    if missing:
        raise ValueError(f"without the values of storage {min(missing)}")
    return places


def _check_byte_order(is_little: bool) -> None:
    if not is_little:
        raise ValueError("written by a big-endian machine; little is needed")


def _size(stream: io.BufferedReader) -> int:
    return os.fstat(stream.fileno()).st_size
