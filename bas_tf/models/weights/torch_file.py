"""Reads a state dict from torch's legacy file format; needs no torch, runs no code.

The format: five pickles (magic number, protocol, platform, the state dict whose
tensors name their storages, the storage names in file order), then for each storage
its element count as int64 and its raw little-endian values.
"""

import collections
import io
import pickle
import struct
from pathlib import Path

import numpy as np

from bas_tf.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
ZIP_START = b"PK"
STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Tensor:
    """Where a tensor lies: storage, offset, shape and strides in elements."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset = storage, offset
        self.shape, self.strides = shape, strides


class _Storage:
    def __init__(self, dtype, key):
        self.dtype, self.key = dtype, key


class _StateDictUnpickler(pickle.Unpickler):
    """Knows the four names that a state dict needs and refuses every other."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"refuses to load {module}.{name}")

    def persistent_load(self, pid):
        kind, dtype, key = pid[0], pid[1], pid[2]
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown persistent object {kind!r}")
        return _Storage(dtype, key)


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a legacy torch file by name.

    Raises:
      UserError: the file is missing, truncated, of another format, or names a class
        that a state dict does not need.
    """
    try:
        stream = io.BytesIO(Path(path).read_bytes())
        if stream.getvalue().startswith(ZIP_START):
            raise UserError(
                f"{path}: torch's newer zip format; save it with "
                "_use_new_zipfile_serialization=False"
            )
        if _StateDictUnpickler(stream).load() != MAGIC:
            raise UserError(f"{path}: not a torch file of the legacy format")
        for _ in ("protocol", "platform"):
            _StateDictUnpickler(stream).load()
        tensors = _StateDictUnpickler(stream).load()
        keys = _StateDictUnpickler(stream).load()
        dtypes = {t.storage.key: t.storage.dtype for t in tensors.values()}
        storages = {key: _read_storage(stream, dtypes[key]) for key in keys}
        return {name: _view(t, storages) for name, t in tensors.items()}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UserError:
        raise
    except Exception as error:  # a pickle can fail in any way: report, never trust
        raise UserError(f"{path}: not a readable torch file ({error})") from error


def _read_storage(stream: io.BytesIO, dtype) -> np.ndarray:
    (count,) = struct.unpack("<q", stream.read(8))
    raw = stream.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(raw, dtype, count)


def _view(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    if min(tensor.offset, *tensor.strides, 0) < 0:
        raise ValueError("a tensor reaches before the start of its storage")
    values = storages[tensor.storage.key][tensor.offset :]
    strides = [s * values.itemsize for s in tensor.strides]
    last = np.dot(np.subtract(tensor.shape, 1), tensor.strides)
    if last >= len(values):
        raise ValueError("a tensor reaches past the end of its storage")
    return np.lib.stride_tricks.as_strided(values, tensor.shape, strides).copy()
