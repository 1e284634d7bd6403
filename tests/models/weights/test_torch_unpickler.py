"""Hostile pickles: no code runs, and the refused name is reported."""

import os
import pickle

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import torch_unpickler
from bas_tf.models.weights.torch_file import read_state_dict
from tests.models.weights import legacy_torch as opcodes
from tests.models.weights.legacy_torch import contiguous, legacy_file
from tests.models.weights.zip_torch import both_formats, zip_file

VALUES = np.arange(4, dtype=np.float32)
TENSORS = {"w": contiguous("0", VALUES)}
TENSOR = opcodes.rebuilt_tensor(*TENSORS["w"])


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def witness(tmp_path):
    """A path that the hostile pickles would create."""
    return tmp_path / "witness"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("position", range(5))
def test_code_in_any_legacy_pickle(path, witness, position, protocol):
    hostile = pickle.dumps(Hostile(os.system, f"touch {witness}"), protocol=protocol)
    good = [pickle.dumps(v, protocol=2) for v in (opcodes.MAGIC, 1001, {}, {}, [])]
    path.write_bytes(b"".join([*good[:position], hostile, *good[position + 1 :]]))
    with pytest.raises(UserError, match="refuses to load (posix|nt).system; save a"):
        read_state_dict(path)
    assert not witness.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_zip(path, witness, protocol):
    call = Hostile(eval, f"open({str(witness)!r}, 'w')")
    hostile = {"state_dict": {}, "epoch": call}
    path.write_bytes(zip_file({}, pickle.dumps(hostile, protocol=protocol)))
    with pytest.raises(UserError, match=f"{path}: refuses to load .*builtin.*eval; "):
        read_state_dict(path)
    assert not witness.exists()


def test_the_hostile_pickles_would_have_run(witness):
    """The tests above mean something only if this one passes."""
    pickle.loads(pickle.dumps(Hostile(os.system, f"touch {witness}"), protocol=2))
    assert witness.exists()


@both_formats
@pytest.mark.parametrize(
    "name",
    ["torch._utils._rebuild_qtensor", "torch.load", "torch.hub.load", "numpy.ndarray",
     "collections.OrderedDict.fromkeys", "torch._utils._rebuild_tensor_v2.__globals__"],
)  # fmt: skip
def test_names_next_to_the_known_ones(path, written, name):
    module, _, last = name.rpartition(".")
    content = f"c{module}\n{last}\n.".encode()
    path.write_bytes(written({}, opcodes.PROTO + content))
    with pytest.raises(UserError, match=f"{path}: refuses to load {name}; "):
        read_state_dict(path)


@both_formats
def test_a_name_of_two_lines_is_told_in_one(path, written):
    content = b"\x80\x04" + opcodes.text("o\ns") + opcodes.text("system") + b"\x93."
    path.write_bytes(written({}, content))
    with pytest.raises(UserError, match=r"refuses to load o\\ns.system; "):
        read_state_dict(path)


STORAGE = TENSOR[TENSOR.index(b"((") + 1 : TENSOR.index(b"Q") + 1]


def known(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode()


ATTRIBUTES = b"}" + opcodes.text("shape") + b"K\x01s"
SLOTS = b"N" + ATTRIBUTES + b"\x86"  # (None, {"shape": 1}): set by setattr


@pytest.mark.parametrize("state", [ATTRIBUTES, SLOTS, b")", b"N"])
@pytest.mark.parametrize(
    "target", [known(".".join(name)) for name in torch_unpickler.KNOWN] + [TENSOR]
)
def test_build_changes_nothing_that_outlives_the_file(path, target, state):
    """BUILD on each known name itself, then a good file must still be read."""
    before = {k: dict(vars(v)) for k, v in stand_ins().items()}
    path.write_bytes(zip_file(TENSORS, opcodes.PROTO + target + state + b"b."))
    with pytest.raises(UserError, match=str(path)):
        read_state_dict(path)
    assert {k: dict(vars(v)) for k, v in stand_ins().items()} == before


def stand_ins() -> dict:
    return {k: v for k, v in torch_unpickler.KNOWN.items() if isinstance(v, type)}


@both_formats
@pytest.mark.parametrize(
    "content",
    [
        known("torch.FloatStorage") + b")R.",  # a call of what is only a name
        known("torch._utils._rebuild_tensor_v2") + b"(K\x01K\x02K\x03K\x04tR.",
        known("torch._utils._rebuild_tensor_v2") + b")R.",
        known("torch._utils._rebuild_parameter") + b")\x81.",
        known("collections.OrderedDict") + b"K\x05\x85R.",
        b"(" + opcodes.text("module") + b"NNNNtQ.",  # a persistent id of a class
        b"K\x05Q.",
        TENSOR + STORAGE + b"\x85b.",  # a tensor moved to another storage
    ],
)
def test_misused_names(path, written, content):
    path.write_bytes(written(TENSORS, opcodes.PROTO + content))
    with pytest.raises(UserError, match=f"{path}: not a readable torch file"):
        read_state_dict(path)


@both_formats
def test_two_descriptions_of_one_storage(path, written):
    wider = opcodes.rebuilt_tensor("0", VALUES.astype(np.float64), 0, [4], [1])
    content = opcodes.PROTO + opcodes.items({"w": TENSOR, "v": wider}) + opcodes.STOP
    path.write_bytes(written(TENSORS, content))
    with pytest.raises(UserError, match="two descriptions of storage '0'"):
        read_state_dict(path)


def test_a_parameter_as_torch_wrote_it_before_0_4(path):
    """Parameter(tensor) by REDUCE, then BUILD of (requires_grad, volatile, hooks)."""
    old = known("torch.nn.parameter.Parameter") + TENSOR + b"\x85R"
    state = b"\x88\x89" + opcodes.ORDERED_DICT + b"\x87b"
    content = opcodes.PROTO + opcodes.items({"w": old + state}) + opcodes.STOP
    path.write_bytes(legacy_file(TENSORS, content))
    np.testing.assert_array_equal(read_state_dict(path)["w"], VALUES)
