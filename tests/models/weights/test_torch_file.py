"""PyTorch checkpoints: what torch saved comes back, with and without torch.

The files are written opcode by opcode (legacy_torch, zip_torch) and by torch itself
where it is installed; every test runs with each reader.
"""

import collections
import pickle
import sys

import ml_dtypes
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import torch_file
from tests.models.weights import legacy_torch as opcodes
from tests.models.weights.legacy_torch import contiguous
from tests.models.weights.torch_readers import both_formats, both_readers
from tests.models.weights.zip_torch import zip_file

VALUES = np.arange(24, dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


@both_readers
@both_formats
def test_tensors_come_back(path, rng, read, written):
    kernel = rng.normal(size=[2, 3, 1, 1]).astype(np.float32)
    steps = np.array([2**40], np.int64)
    path.write_bytes(
        written(
            {"conv.weight": contiguous("7", kernel), "steps": contiguous("1", steps)}
        )
    )
    state = read(path)
    assert list(state) == ["conv.weight", "steps"]
    np.testing.assert_array_equal(state["conv.weight"], kernel)
    np.testing.assert_array_equal(state["steps"], steps)
    assert state["conv.weight"].dtype == np.float32
    assert state["steps"].dtype == np.int64
    state["conv.weight"][:] = 0  # a copy of its own, writable


@both_readers
@both_formats
@pytest.mark.parametrize(
    "offset, shape, strides, expected",
    [
        (0, [4, 6], [6, 1], VALUES.reshape(4, 6)),
        (0, [6, 4], [1, 6], VALUES.reshape(4, 6).T),
        (2, [2, 3], [12, 2], [[2, 4, 6], [14, 16, 18]]),
        (23, [], [], 23.0),
        (5, [3, 2], [0, 1], [[5, 6]] * 3),  # an expanded tensor
        (0, [2, 3, 4], [4, 8, 1], VALUES.reshape(3, 2, 4).transpose(1, 0, 2)),
        (24, [0, 3], [3, 1], np.zeros([0, 3])),
    ],
)
def test_any_view_of_a_storage(path, read, written, offset, shape, strides, expected):
    path.write_bytes(written({"view": ("0", VALUES, offset, shape, strides)}))
    view = read(path)["view"]
    np.testing.assert_array_equal(view, expected)
    assert view.shape == tuple(shape) and view.flags.c_contiguous


@both_readers
@both_formats
def test_two_tensors_share_a_storage_in_the_file_only(path, read, written):
    path.write_bytes(
        written({"a": ("0", VALUES, 0, [2], [1]), "b": ("0", VALUES, 1, [2], [1])})
    )
    state = read(path)
    state["a"][:] = 7
    assert state["b"].tolist() == [1, 2]


@both_readers
@both_formats
@pytest.mark.parametrize("dtype", [d for d in opcodes.STORAGES if d != "bfloat16"])
def test_dtypes_are_kept(path, read, written, dtype):
    values = np.array([0, 1, 2, 100]).astype(dtype)
    path.write_bytes(written({"x": contiguous("0", values)}))
    x = read(path)["x"]
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, values)


@both_readers
@both_formats
def test_bfloat16_becomes_float32(path, read, written):
    """1 + 2^-7 is the next bfloat16 after 1; float32 holds it exactly."""
    values = np.array([1 + 2**-7, -3e38, np.inf], ml_dtypes.bfloat16)
    path.write_bytes(written({"x": contiguous("0", values)}))
    x = read(path)["x"]
    assert x.dtype == np.float32 and x[0] == 1.0078125 and x[2] == np.inf
    assert x[1] == pytest.approx(-3e38, rel=2**-8)


@both_readers
@both_formats
@pytest.mark.parametrize("holder", torch_file.HOLDERS)
def test_the_state_dict_within_a_training_checkpoint(path, read, written, holder):
    """Also: parameters, the `_metadata` that BUILD sets, and an optimizer's tensor."""
    tensors = {"w": contiguous("0", VALUES), "v": contiguous("1", VALUES * 2)}
    weight, momentum = (opcodes.rebuilt_tensor(*t) for t in tensors.values())
    metadata = b"}" + opcodes.text("_metadata") + opcodes.ORDERED_DICT + b"sb"
    state = opcodes.items({"w": opcodes.parameter(weight)}) + metadata
    checkpoint = opcodes.items(
        {
            "epoch": opcodes.integer(3),
            "arch": opcodes.text("resnet50"),
            "best": b"G" + np.array(0.5, ">f8").tobytes(),
            holder: state,
            "optimizer": opcodes.items({"v": momentum, "none": b"N", "list": b"]"}),
        }
    )
    content = opcodes.PROTO + checkpoint + opcodes.STOP
    path.write_bytes(written(tensors, content))
    result = read(path)
    assert list(result) == ["w"]
    np.testing.assert_array_equal(result["w"], VALUES)


@both_readers
@both_formats
@pytest.mark.parametrize(
    "content, told",
    [
        ({"epoch": 3, "args": {}}, "holds 'epoch', 'args', but no state dict under"),
        ({}, "holds nothing, but no state dict under state_dict, "),
        ([1, 2], "holds a single list;"),
        ({"state_dict": {"lr": 0.1}}, "holds 'lr', but no state dict"),
    ],
)
def test_a_checkpoint_without_weights(path, read, written, content, told):
    path.write_bytes(written({}, pickle.dumps(content, protocol=2)))
    with pytest.raises(UserError, match=f"{path}: {told}.*model.state_dict"):
        read(path)


@both_readers
@both_formats
def test_a_number_among_the_tensors(path, read, written):
    tensors = {"w": contiguous("0", VALUES)}
    mixed = opcodes.items({"w": opcodes.rebuilt_tensor(*tensors["w"]), "n": b"K\x05"})
    path.write_bytes(written(tensors, opcodes.PROTO + mixed + opcodes.STOP))
    with pytest.raises(UserError, match=f"{path}: 'n' is not the name of a tensor"):
        read(path)


@both_readers
@both_formats
def test_a_dict_that_holds_itself(path, read, written):
    endless = {}
    endless["state_dict"] = endless
    path.write_bytes(written({}, pickle.dumps(endless, protocol=2)))
    with pytest.raises(UserError, match=f"{path}: .*recursion"):
        read(path)


@both_readers
def test_a_missing_file(path, read):
    with pytest.raises(UserError, match=f"{path}: No such file"):
        read(path)


def test_a_pickle_protocol_that_torch_does_not_read(path):
    """read_state_dict turns to the restricted reader, so that both worlds agree."""
    content = opcodes.state_dict({"w": contiguous("0", VALUES)})
    content = b"\x80\x04" + content.replace(opcodes.text("w"), b"\x8c\x01w") + b"."
    path.write_bytes(zip_file({"w": contiguous("0", VALUES)}, content))
    np.testing.assert_array_equal(torch_file.read_state_dict(path)["w"], VALUES)
    pytest.importorskip("torch")
    with pytest.raises(UserError, match=f"{path}: refused by torch's weights-only"):
        torch_file.read_with_torch(path)


@both_formats
def test_without_torch_the_restricted_reader_reads(path, written, monkeypatch):
    """None in sys.modules is how Python itself marks a module as not importable."""
    monkeypatch.setitem(sys.modules, "torch", None)
    path.write_bytes(written({"w": contiguous("0", VALUES)}))
    with pytest.raises(ImportError):
        torch_file.read_with_torch(path)
    np.testing.assert_array_equal(torch_file.read_state_dict(path)["w"], VALUES)


@pytest.fixture
def network():
    """A trained step of a small network, for files that torch itself writes."""
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(2, 3, 5, 5)).square().sum().backward()
    optimizer.step()
    return network, optimizer


@both_readers
@pytest.mark.parametrize("zipped", [False, True])
def test_a_training_checkpoint_of_torch(path, read, network, zipped):
    torch = pytest.importorskip("torch")
    model, optimizer = network
    checkpoint = {
        "epoch": 3,
        "arch": "small",
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    state = read(path)
    expected = {k: v.numpy() for k, v in model.state_dict().items()}
    assert list(state) == list(expected)
    assert state["1.num_batches_tracked"].shape == ()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, strict=True)


@both_readers
@pytest.mark.parametrize("zipped", [False, True])
def test_views_and_dtypes_of_torch(path, read, zipped):
    torch = pytest.importorskip("torch")
    x = torch.arange(24.0).reshape(4, 6)
    kinds = [*opcodes.STORAGES, "int16", "int8"]
    tensors = collections.OrderedDict((k, x.to(getattr(torch, k))) for k in kinds)
    tensors |= {"t": x.t(), "rows": x[1:], "steps": x[::2, 1::3], "one": x[3, 5]}
    tensors |= {"parameter": torch.nn.Parameter(x.t()), "none": x[:0]}
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    state = read(path)
    assert list(state) == list(tensors)
    for name, tensor in tensors.items():
        tensor = tensor.float() if name == "bfloat16" else tensor
        np.testing.assert_array_equal(state[name], tensor.detach().numpy(), strict=True)


@both_readers
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_whole_model_is_refused(path, read, network, zipped, nested):
    torch = pytest.importorskip("torch")
    saved = {"model": network[0]} if nested else network[0]
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    told = r"refuses to load torch.nn.modules.container.Sequential; save a state dict: "
    with pytest.raises(UserError, match=rf"{path}: {told}torch.save\(model.state_dict"):
        read(path)


@both_readers
@pytest.mark.parametrize("zipped", [False, True])
def test_a_single_tensor(path, read, zipped):
    torch = pytest.importorskip("torch")
    torch.save(torch.ones(3), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=f"{path}: holds a single tensor"):
        read(path)
