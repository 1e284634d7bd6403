"""Writes torch's legacy file format without torch, for tests of its reader.

Pickles of protocol 2 are written opcode by opcode, since the classes they name are
not importable here: GLOBAL 'torch._utils _rebuild_tensor_v2' and so on.
"""

import pickle
import struct

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def legacy_file(tensors: dict[str, tuple]) -> bytes:
    """A state dict file.

    Args:
      tensors: {name: (storage key, 1-D values, offset, shape, strides)}; offset and
        strides in elements. Equal keys share one storage.
    """
    storages = {key: values for key, values, *_ in tensors.values()}
    head = [MAGIC, 1001, {"little_endian": True}]
    parts = [pickle.dumps(value, protocol=2) for value in head]
    parts.append(state_dict_pickle(tensors))
    parts.append(pickle.dumps(sorted(storages), protocol=2))
    for key in sorted(storages):
        parts.append(struct.pack("<q", len(storages[key])) + storages[key].tobytes())
    return b"".join(parts)


def state_dict_pickle(tensors: dict[str, tuple]) -> bytes:
    """OrderedDict([(name, _rebuild_tensor_v2(storage, offset, shape, ...)), ...])."""
    items = b"".join(
        text(name) + rebuilt_tensor(*tensor) + b"s" for name, tensor in tensors.items()
    )
    ordered_dict = b"ccollections\nOrderedDict\n)R"
    return b"\x80\x02" + ordered_dict + items + b"."


def rebuilt_tensor(key, values, offset, shape, strides) -> bytes:
    storage = (
        b"(" + text("storage") + b"ctorch\n" + STORAGES[values.dtype.name].encode()
        + b"\n" + text(key) + text("cpu") + integer(len(values)) + b"NtQ"
    )  # fmt: skip
    arguments = storage + integer(offset) + integers(shape) + integers(strides)
    hooks = b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"\x89" + hooks + b"tR"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def integers(values) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def contiguous(key: str, array: np.ndarray) -> tuple:
    """A whole array in a storage of its own."""
    strides = [s // array.itemsize for s in array.strides]
    return key, array.ravel(), 0, array.shape, strides
