"""Unpickles what torch.save wrote into plain descriptions of tensors; runs no code.

A pickle may name any function of any module and have it called. Here the few names
that a state dict needs stand for the sealed classes below, which only note where a
tensor lies; every other name is refused before anything happens.
"""

import math
import pickle
from typing import BinaryIO, NamedTuple

import numpy as np

STORAGES = {  # torch's name of a storage -> how its values lie in a file
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}


class Storage(NamedTuple):
    """A run of `count` values of one kind of STORAGES under a key of the file."""

    kind: str
    key: str
    count: int

    @property
    def dtype(self) -> np.dtype:
        return STORAGES[self.kind]

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize


class StoredTensor(NamedTuple):
    """Where a tensor lies; offset and strides count values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __setstate__(self, state):
        """Parameters of torch before 0.4 bring flags of autograd, which change nothing.

        Tensors of that age bring a storage, which torch would put in their place.
        """
        if any(isinstance(part, Storage) for part in state):
            raise pickle.UnpicklingError("a tensor that is moved to another storage")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.storage.dtype.itemsize

    def check(self) -> None:
        """Raises ValueError unless the tensor lies within its storage."""
        numbers = (self.offset, *self.shape, *self.strides)
        if any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError("a negative offset, size or stride of a tensor")
        if len(self.shape) != len(self.strides):
            raise ValueError("a tensor with more sizes than strides or the reverse")
        if 0 in self.shape:
            return
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        if last >= self.storage.count:
            raise ValueError("a tensor reaches past the end of its storage")

    def values(self, raw: bytes) -> np.ndarray:
        """A contiguous copy of the tensor out of the bytes of its storage."""
        dtype = self.storage.dtype
        if 0 in self.shape:
            return np.zeros(self.shape, dtype)
        stored = np.frombuffer(raw, dtype, self.storage.count)[self.offset :]
        strides = [stride * dtype.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(stored, self.shape, strides)
        return np.array(view, order="C")


class _Sealed(type):
    """A class that a pickle's BUILD cannot write to."""

    def __setattr__(cls, name, value):
        raise pickle.UnpicklingError(f"refuses to set {name} of {cls.__name__}")


class _OrderedDict(dict, metaclass=_Sealed):
    def __setstate__(self, state):
        """torch notes versions of modules here (`_metadata`): not needed."""


class _Tensor(metaclass=_Sealed):
    """torch._utils._rebuild_tensor and _rebuild_tensor_v2."""

    def __new__(cls, storage, offset, shape, strides, *rest):
        if any(rest[2:]):  # requires_grad, hooks, then marks as a lazy negation
            raise pickle.UnpicklingError(f"a tensor with the marks {rest[2:]}")
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return StoredTensor(storage, offset, tuple(shape), tuple(strides))


class _Parameter(metaclass=_Sealed):
    def __new__(cls, tensor, *_):
        return tensor


KNOWN = {
    ("collections", "OrderedDict"): _OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _Parameter,
    ("torch.nn.parameter", "Parameter"): _Parameter,
    # Names, not dtype objects: a pickle could change the byte order of those.
    **{("torch", kind): kind for kind in STORAGES},
}


class RefusedGlobal(pickle.UnpicklingError):
    """The pickle names something that a state dict does not need."""


class StateDictUnpickler(pickle.Unpickler):
    """Reads one pickle of a torch file; tensors come as StoredTensor.

    Attributes:
      storages: {key: Storage}, every storage that the pickle named.
    """

    def __init__(self, stream: BinaryIO):
        super().__init__(stream, encoding="utf-8")  # the strings of Python 2
        self.storages: dict[str, Storage] = {}

    def find_class(self, module, name):
        if (module, name) not in KNOWN:
            shown = f"{module}.{name}".encode("unicode_escape").decode()  # one line
            raise RefusedGlobal(shown)
        return KNOWN[module, name]

    def persistent_load(self, pid):
        what, kind, key, _, count, *views = pid
        if what != "storage" or kind not in STORAGES or any(views):
            raise pickle.UnpicklingError(f"unknown persistent object {what!r}")
        if type(key) is not str or type(count) is not int or count < 0:
            raise pickle.UnpicklingError(f"storage {key!r} of {count!r} values")
        storage = self.storages.setdefault(key, Storage(kind, key, count))
        if storage != (kind, key, count):
            raise pickle.UnpicklingError(f"two descriptions of storage {key!r}")
        return storage
