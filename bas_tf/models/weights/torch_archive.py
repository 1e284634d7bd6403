"""The two containers of torch.save, opened without torch: what they hold, and where.

Opening reads the pickles and compares every promised size with the file; values are
read later, one storage at a time.
"""

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Protocol

from bas_tf.models.weights.torch_unpickler import StateDictUnpickler, Storage

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
ZIP_START = b"PK\x03\x04"


class TorchArchive(Protocol):
    """An open torch file.

    Attributes:
      size: of the file in bytes.
      content: the object that was saved; its tensors are StoredTensor.
    """

    size: int
    content: object

    def read(self, storage: Storage) -> bytes:
        """The bytes of one storage, at least `storage.nbytes`."""

    def check_values(self) -> None:
        """Raises unless the values are those that were saved, where that shows."""


def open_archive(stream: io.BufferedReader) -> TorchArchive:
    """Opens a torch file of either format, positioned at its start.

    Raises:
      ValueError, pickle.UnpicklingError, zipfile.BadZipFile and what else reading
        a damaged file can raise.
    """
    start = stream.peek(64)[:64]
    if not start:
        raise ValueError("it is empty")
    if start.lstrip().startswith(b"<"):
        raise ValueError("it is a web page")
    if start.startswith(ZIP_START):
        return ZipArchive(stream)
    return LegacyArchive(stream)


class ZipArchive:
    """torch >= 1.6: <folder>/data.pkl, and each storage as <folder>/data/<key>."""

    def __init__(self, stream: io.BufferedReader):
        self.size = _size(stream)
        self._zip = zipfile.ZipFile(stream)
        for entry in self._zip.infolist():
            _check_entry(entry, self.size)
        self._folder = self._find_folder()
        pickled = self._zip.read(f"{self._folder}/data.pkl")
        unpickler = StateDictUnpickler(io.BytesIO(pickled))
        self.content = unpickler.load()
        self._check_byte_order()
        for storage in unpickler.storages.values():
            self._check_storage(storage)

    def read(self, storage: Storage) -> bytes:
        return self._zip.read(self._name(storage))

    def check_values(self) -> None:
        """Every entry against its checksum."""
        damaged = self._zip.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {damaged!r}")

    def _name(self, storage: Storage) -> str:
        return f"{self._folder}/data/{storage.key}"

    def _find_folder(self) -> str:
        paths = [Path(name) for name in self._zip.namelist()]
        folders = [p.parts[0] for p in paths if p.parts[1:] == ("data.pkl",)]
        if len(folders) != 1:
            raise ValueError(f"a zip file with {len(folders)} entries data.pkl")
        return folders[0]

    def _check_byte_order(self) -> None:
        name = f"{self._folder}/byteorder"  # torch >= 2.1 writes it
        if name in self._zip.namelist() and self._zip.read(name) != b"little":
            raise ValueError("written by a big-endian machine; little is needed")

    def _check_storage(self, storage: Storage) -> None:
        size = self._zip.getinfo(self._name(storage)).file_size
        if size < storage.nbytes:
            raise ValueError(
                f"storage {storage.key} has {size} bytes of {storage.nbytes}"
            )


def _check_entry(entry: zipfile.ZipInfo, size: int) -> None:
    """torch never compresses, so no entry may claim more bytes than the file has."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed, which torch.save never does")
    if entry.file_size != entry.compress_size or entry.file_size > size:
        raise ValueError(f"{entry.filename} claims {entry.file_size} bytes")


class LegacyArchive:
    """torch < 1.6: pickles, then each storage as its count (int64) and its values.

    The pickles are: magic number, protocol, platform, the content, and the keys of
    the storages in file order.
    """

    def __init__(self, stream: io.BufferedReader):
        self.size = _size(stream)
        self._stream = stream
        if StateDictUnpickler(stream).load() != LEGACY_MAGIC:
            raise ValueError("not a torch file of the legacy or the zip format")
        _, platform = (StateDictUnpickler(stream).load() for _ in range(2))
        if not platform.get("little_endian", True):
            raise ValueError("written by a big-endian machine; little is needed")
        unpickler = StateDictUnpickler(stream)
        self.content = unpickler.load()
        keys = StateDictUnpickler(stream).load()
        self._places = self._find_places(unpickler.storages, keys)

    def read(self, storage: Storage) -> bytes:
        self._stream.seek(self._places[storage.key])
        return self._stream.read(storage.nbytes)

    def check_values(self) -> None:
        """The format has no checksums; sizes were compared when it was opened."""

    def _find_places(self, storages: dict[str, Storage], keys) -> dict[str, int]:
        """{key: position of its first value}; stops at the first wrong size."""
        places = {}
        for key in keys:
            (count,) = struct.unpack("<q", self._stream.read(8))
            if count != storages[key].count:
                raise ValueError(
                    f"storage {key} has {count} values of {storages[key].count}"
                )
            places[key] = self._stream.tell()
            if places[key] + storages[key].nbytes > self.size:
                raise ValueError(f"it ends within storage {key}")
            self._stream.seek(storages[key].nbytes, os.SEEK_CUR)
        missing = storages.keys() - places.keys()
        if missing:
            raise ValueError(f"without the values of storage {min(missing)}")
        return places


def _size(stream: io.BufferedReader) -> int:
    return os.fstat(stream.fileno()).st_size
