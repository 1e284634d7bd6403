"""Reads the state dict of a PyTorch checkpoint; needs no torch and runs no code.

With torch installed its own weights-only loader reads the values, after the same
checks: a file is taken or refused alike with and without torch.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.weights.torch_archive import TorchArchive, ZipArchive, open_archive
from bas_tf.models.weights.torch_unpickler import RefusedGlobal, StoredTensor

HOLDERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
NEEDED = "save a state dict: torch.save(model.state_dict(), path)"


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch checkpoint by name, in the file's order.

    Args:
      path: a file of torch.save, in its legacy or its zip format: a state dict, or a
        dict that holds one under a key of HOLDERS, next to anything else that
        consists of tensors, numbers, strings, lists, tuples and dicts.

    Returns:
      {name: array of its own memory} in the file's dtypes; bfloat16 -> float32.

    Raises:
      UserError: the file is missing, damaged, of another kind, holds no state dict,
        or names a function or class that a state dict does not need.
    """
    try:
        return read_with_torch(path)
    except (ImportError, UserError):
        # Without torch; or torch's loader gives up where this one may not, as on
        # pickle protocol 4. This one also finds the words for what neither reads.
        return read_without_torch(path)


def read_with_torch(path: str | Path) -> dict[str, np.ndarray]:
    """`read_state_dict` by torch's weights-only loader, which needs torch.

    Torch checks no checksum, decompresses whatever it is given and leaves values that
    the file lacks unset; so the file is opened and checked here first.

    Raises:
      ImportError: torch is not installed.
      UserError: as `read_state_dict`, or when torch refuses the file.
    """
    import torch  # optional, and slow to import

    with _damage_as_user_error(path), _open(path) as archive:
        _stored_tensors(path, archive)
        archive.check_values()
        content = _load_with(torch, path, mmap=isinstance(archive, ZipArchive))
        return {k: _to_numpy(t) for k, t in _find_state_dict(content).items()}


def _load_with(torch, path: str | Path, *, mmap: bool) -> object:
    """What torch's own safe loader returns; `mmap` leaves one copy to `_to_numpy`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: read or refused
            return torch.load(str(path), "cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch's advice, to load it unsafely, is not passed on
        raise UserError(
            f"{path}: refused by torch's weights-only loader "
            f"({type(error).__name__}); {NEEDED}"
        ) from error


def read_without_torch(path: str | Path) -> dict[str, np.ndarray]:
    """`read_state_dict` by the restricted reader alone, which executes nothing."""
    with _damage_as_user_error(path), _open(path) as archive:
        tensors = _stored_tensors(path, archive)
        state = dict.fromkeys(tensors)
        for storage in dict.fromkeys(t.storage for t in tensors.values()):
            raw = archive.read(storage)  # one storage in memory at a time
            for name, tensor in tensors.items():
                if tensor.storage == storage:
                    state[name] = tensor.values(raw)
        return state


@contextlib.contextmanager
def _open(path: str | Path) -> Iterator[TorchArchive]:
    with io.BufferedReader(io.FileIO(path)) as stream:
        yield open_archive(stream)


@contextlib.contextmanager
def _damage_as_user_error(path: str | Path) -> Iterator[None]:
    """Tells every failure within in one line that names the file."""
    try:
        yield
    except UserError:
        raise
    except RefusedGlobal as error:
        raise UserError(f"{path}: refuses to load {error}; {NEEDED}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a pickle can fail in any way: report, never trust
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path}: not a readable torch file ({reason}); download it again, or "
            f"{NEEDED}"
        ) from error


def _stored_tensors(path, archive: TorchArchive) -> dict[str, StoredTensor]:
    """The state dict of an open file, each tensor checked against its storage."""
    tensors = _find_state_dict(archive.content)
    _check_state_dict(path, tensors)
    for name, tensor in tensors.items():
        tensor.check()
        if tensor.nbytes > archive.size:  # few values, repeated without end
            raise ValueError(f"{name!r} of shape {tensor.shape} exceeds the file")
    return tensors


def _find_state_dict(content: object) -> object:
    """What lies innermost along HOLDERS: all of a file that is just a state dict."""
    for holder in HOLDERS:
        if isinstance(content, dict) and isinstance(content.get(holder), dict):
            return _find_state_dict(content[holder])
    return content


def _check_state_dict(path: str | Path, found: object) -> None:
    if not isinstance(found, dict):
        kind = "tensor" if isinstance(found, StoredTensor) else type(found).__name__
        raise UserError(f"{path}: holds a single {kind}; {NEEDED}")
    others = [k for k, v in found.items() if not isinstance(v, StoredTensor)]
    if len(others) == len(found):
        keys = ", ".join(map(repr, others[:5])) or "nothing"
        raise UserError(
            f"{path}: holds {keys}, but no state dict under {', '.join(HOLDERS)}; "
            f"{NEEDED}"
        )
    others += [k for k in found if not isinstance(k, str)]
    if others:
        raise UserError(f"{path}: {others[0]!r} is not the name of a tensor; {NEEDED}")


def _to_numpy(tensor) -> np.ndarray:
    """A contiguous copy of a torch tensor; NumPy lacks bfloat16."""
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return np.array(tensor.detach().numpy(), order="C")
