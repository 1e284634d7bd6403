"""The legacy torch file: every stride, no code run, damage told in one line."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.torch_file import read_state_dict
from tests.models.legacy_torch import contiguous, legacy_file

VALUES = np.arange(24, dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def test_tensors_come_back(path, rng):
    kernel = rng.normal(size=[2, 3, 1, 1]).astype(np.float32)
    steps = np.array([2**40], np.int64)
    path.write_bytes(
        legacy_file(
            {"conv.weight": contiguous("7", kernel), "steps": contiguous("1", steps)}
        )
    )
    state = read_state_dict(path)
    assert list(state) == ["conv.weight", "steps"]
    np.testing.assert_array_equal(state["conv.weight"], kernel)
    np.testing.assert_array_equal(state["steps"], steps)
    assert state["conv.weight"].dtype == np.float32
    assert state["steps"].dtype == np.int64
    state["conv.weight"][:] = 0  # a copy of its own, writable


@pytest.mark.parametrize(
    "offset, shape, strides, expected",
    [
        (0, [4, 6], [6, 1], VALUES.reshape(4, 6)),
        (0, [6, 4], [1, 6], VALUES.reshape(4, 6).T),
        (2, [2, 3], [12, 2], [[2, 4, 6], [14, 16, 18]]),
        (23, [], [], 23.0),
        (5, [3, 2], [0, 1], [[5, 6]] * 3),  # an expanded tensor
        (0, [2, 3, 4], [4, 8, 1], VALUES.reshape(3, 2, 4).transpose(1, 0, 2)),
    ],
)
def test_any_view_of_a_storage(path, offset, shape, strides, expected):
    path.write_bytes(legacy_file({"view": ("0", VALUES, offset, shape, strides)}))
    np.testing.assert_array_equal(read_state_dict(path)["view"], expected)


def test_an_empty_tensor(path):
    path.write_bytes(legacy_file({"none": ("0", VALUES, 24, [0, 3], [3, 1])}))
    assert read_state_dict(path)["none"].shape == (0, 3)


def test_two_tensors_share_a_storage(path):
    path.write_bytes(
        legacy_file({"a": ("0", VALUES, 0, [2], [1]), "b": ("0", VALUES, 1, [2], [1])})
    )
    state = read_state_dict(path)
    assert state["a"].tolist() == [0, 1] and state["b"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "offset, shape, strides",
    [(0, [25], [1]), (23, [2], [1]), (0, [4, 6], [7, 1]), (0, [2], [-1]),
     (-3, [2], [1])],
)  # fmt: skip
def test_a_tensor_outside_its_storage_is_refused(path, offset, shape, strides):
    """Unchecked, a view by strides reads memory that is not the file's."""
    path.write_bytes(legacy_file({"view": ("0", VALUES, offset, shape, strides)}))
    with pytest.raises(UserError, match=f"{path}: not a readable torch file"):
        read_state_dict(path)


def test_every_truncation_is_told(path):
    content = legacy_file({"a": contiguous("0", VALUES)})
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match=str(path)):
            read_state_dict(path)


class Hostile:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("position", range(5))
def test_code_in_any_pickle_is_not_run(path, tmp_path, position):
    witness = tmp_path / "witness"
    hostile = pickle.dumps(Hostile(f"touch {witness}"), protocol=2)
    good = [
        pickle.dumps(v, protocol=2) for v in (0x1950A86A20F9469CFC6C, 1, {}, {}, [])
    ]
    path.write_bytes(b"".join([*good[:position], hostile, *good[position + 1 :]]))
    with pytest.raises(UserError, match="refuses to load (posix|nt).system"):
        read_state_dict(path)
    assert not witness.exists()


def test_the_hostile_pickle_would_have_run(tmp_path):
    """The test above means something only if this one passes."""
    witness = tmp_path / "witness"
    pickle.loads(pickle.dumps(Hostile(f"touch {witness}"), protocol=2))
    assert witness.exists()


def test_the_newer_zip_format_is_named(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(UserError, match=f"{path}: .*zip"):
        read_state_dict(path)


def test_another_pickle_is_not_taken_for_weights(path):
    path.write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(UserError, match=f"{path}: not a torch file of the legacy"):
        read_state_dict(path)


def test_a_missing_file(path):
    with pytest.raises(UserError, match=f"{path}: No such file"):
        read_state_dict(path)
