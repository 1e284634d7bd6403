"""Writes torch's legacy file format without torch, for tests of its reader.

Pickles of protocol 2 are written opcode by opcode, since the classes they name are
not importable here: GLOBAL 'torch._utils _rebuild_tensor_v2' and so on.
"""

import pickle
import struct

import numpy as np

from bas_tf.models.weights import torch_unpickler

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {dtype.name: kind for kind, dtype in torch_unpickler.STORAGES.items()}
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
PROTO, STOP = b"\x80\x02", b"."


def legacy_file(tensors: dict[str, tuple], content: bytes | None = None) -> bytes:
    """A checkpoint file.

    Args:
      tensors: {name: (storage key, 1-D values, offset, shape, strides)}; offset and
        strides in elements. Equal keys share one storage.
      content: the pickle of what was saved; None: the state dict of `tensors`.
    """
    storages = {key: values for key, values, *_ in tensors.values()}
    head = [MAGIC, 1001, {"little_endian": True}]
    parts = [pickle.dumps(value, protocol=2) for value in head]
    parts.append(state_dict_pickle(tensors) if content is None else content)
    parts.append(pickle.dumps(sorted(storages), protocol=2))
    for key in sorted(storages):
        parts.append(struct.pack("<q", len(storages[key])) + storages[key].tobytes())
    return b"".join(parts)


def state_dict_pickle(tensors: dict[str, tuple]) -> bytes:
    """OrderedDict([(name, _rebuild_tensor_v2(storage, offset, shape, ...)), ...])."""
    return PROTO + state_dict(tensors) + STOP


def state_dict(tensors: dict[str, tuple]) -> bytes:
    return items({name: rebuilt_tensor(*t) for name, t in tensors.items()})


def items(values: dict[str, bytes]) -> bytes:
    """An OrderedDict of values that are written already."""
    return ORDERED_DICT + b"".join(
        text(key) + value + b"s" for key, value in values.items()
    )


def rebuilt_tensor(key, values, offset, shape, strides) -> bytes:
    storage = (
        b"(" + text("storage") + b"ctorch\n" + STORAGES[values.dtype.name].encode()
        + b"\n" + text(key) + text("cpu") + integer(len(values)) + b"NtQ"
    )  # fmt: skip
    arguments = storage + integer(offset) + integers(shape) + integers(strides)
    hooks = ORDERED_DICT
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"\x89" + hooks + b"tR"


def parameter(tensor: bytes) -> bytes:
    """torch._utils._rebuild_parameter(tensor, requires_grad=True, hooks)."""
    return (
        b"ctorch._utils\n_rebuild_parameter\n("
        + tensor
        + b"\x88"
        + ORDERED_DICT
        + b"tR"
    )


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def integers(values) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def contiguous(key: str, array: np.ndarray) -> tuple:
    """A whole array in its own storage."""
    strides = [s // array.itemsize for s in array.strides]
    return key, array.ravel(), 0, array.shape, strides
