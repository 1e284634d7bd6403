"""Reads the state dict of a PyTorch checkpoint; needs no torch and runs no code."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.weights.torch_archive import open_archive
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
      {name: array with its own memory} in the file's dtypes.

    Raises:
      UserError: the file is missing, damaged, of another kind, holds no state dict,
        or names a function or class that a state dict does not need.
    """
    with _damage_as_user_error(path), io.BufferedReader(io.FileIO(path)) as stream:
        content, read = open_archive(stream)
        tensors = _find_state_dict(content)
        _check_state_dict(path, tensors)
        _check_sizes(tensors, Path(path).stat().st_size)
        state = dict.fromkeys(tensors)
        for storage in dict.fromkeys(t.storage for t in tensors.values()):
            raw = read(storage)  # one storage in memory at a time
            for name, tensor in tensors.items():
                if tensor.storage == storage:
                    state[name] = tensor.values(raw)
        return state


@contextlib.contextmanager
def _damage_as_user_error(path: str | Path) -> Iterator[None]:
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


def _check_sizes(tensors: dict[str, StoredTensor], file_size: int) -> None:
    for name, tensor in tensors.items():
        tensor.check()
        if tensor.nbytes > file_size:  # few values, repeated without end
            raise ValueError(f"{name!r} of shape {tensor.shape} exceeds the file")


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
