"""Unpickles what torch.save wrote into plain descriptions of tensors; runs no code.

A pickle may name any function of any module and have it called. Here the few names
that a state dict needs stand for the sealed classes below, which only note where a
tensor lies; every other name is refused before anything happens.
"""

import math
import pickle
from typing import BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

DTYPES = {  # torch's name of a dtype -> how its values lie in a file
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "int64": np.dtype(np.int64),
    "int32": np.dtype(np.int32),
    "int16": np.dtype(np.int16),
    "int8": np.dtype(np.int8),
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
    "bool": np.dtype(np.bool_),
}

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",  # counts bytes
}


class Storage(NamedTuple):
    """A run of `count` values of one dtype under a key of the file."""

    dtype: str
    key: str
    count: int

    @property
    def nbytes(self) -> int:
        return self.count * DTYPES[self.dtype].itemsize


class StoredTensor(NamedTuple):
    """Where a tensor lies; offset and strides count values of its dtype."""

    storage: Storage
    dtype: str
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
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize

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
        if (last + 1) * DTYPES[self.dtype].itemsize > self.storage.nbytes:
            raise ValueError("a tensor reaches past the end of its storage")

    def values(self, raw: bytes) -> np.ndarray:
        """A contiguous copy of the tensor out of its storage's bytes.

        Returns:
          array of `shape`; bfloat16, which NumPy lacks, becomes float32.
        """
        dtype = DTYPES[self.dtype]
        target = np.float32 if self.dtype == "bfloat16" else dtype
        if 0 in self.shape:
            return np.zeros(self.shape, target)
        stored = np.frombuffer(raw, dtype, len(raw) // dtype.itemsize)[self.offset :]
        strides = [stride * dtype.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(stored, self.shape, strides)
        return np.array(view, target, order="C")


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
        return _stored(storage, storage.dtype, offset, shape, strides)


class _TensorOfDtype(metaclass=_Sealed):
    """torch._utils._rebuild_tensor_v3: dtypes that have no storage of their own."""

    def __new__(cls, storage, offset, shape, strides, grad, hooks, dtype, *marks):
        return _stored(storage, dtype, offset, shape, strides)


class _Parameter(metaclass=_Sealed):
    def __new__(cls, tensor, *_):
        return tensor


def _stored(storage, dtype, offset, shape, strides) -> StoredTensor:
    if not isinstance(storage, Storage) or dtype not in DTYPES:
        raise pickle.UnpicklingError("a tensor without a storage or a dtype")
    return StoredTensor(storage, dtype, offset, tuple(shape), tuple(strides))


KNOWN = {
    ("collections", "OrderedDict"): _OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _TensorOfDtype,
    ("torch._utils", "_rebuild_parameter"): _Parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _Parameter,
    ("torch.nn.parameter", "Parameter"): _Parameter,
    # Names, not dtype objects: a pickle could change the byte order of those.
    **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
    ("torch.storage", "UntypedStorage"): STORAGES["UntypedStorage"],
    **{("torch", dtype): dtype for dtype in DTYPES},
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
        kind, dtype, key, _, count, *views = pid
        if kind != "storage" or dtype not in DTYPES or any(views):
            raise pickle.UnpicklingError(f"unknown persistent object {kind!r}")
        if type(key) is not str or type(count) is not int or count < 0:
            raise pickle.UnpicklingError(f"storage {key!r} of {count!r} values")
        storage = self.storages.setdefault(key, Storage(dtype, key, count))
        if storage != (dtype, key, count):
            raise pickle.UnpicklingError(f"two descriptions of storage {key!r}")
        return storage
