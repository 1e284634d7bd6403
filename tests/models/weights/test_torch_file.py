"""PyTorch checkpoints: what torch saved comes back, without torch.

The files are written opcode by opcode (legacy_torch, zip_torch) and by torch itself
where it is installed.
"""

import collections
import pickle

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights.torch_file import HOLDERS, read_state_dict
from tests.models.weights import legacy_torch as opcodes
from tests.models.weights.legacy_torch import contiguous
from tests.models.weights.zip_torch import both_formats

VALUES = np.arange(24, dtype=np.float32)


@both_formats
def test_tensors_come_back(path, rng, written):
    kernel = rng.normal(size=[2, 3, 1, 1]).astype(np.float32)
    steps = np.array([2**40], np.int64)
    path.write_bytes(
        written(
            {"conv.weight": contiguous("7", kernel), "steps": contiguous("1", steps)}
        )
    )
    state = read_state_dict(path)
    assert list(state) == ["conv.weight", "steps"]
    np.testing.assert_array_equal(state["conv.weight"], kernel)
    np.testing.assert_array_equal(state["steps"], steps)
    assert state["conv.weight"].dtype == np.float32
    assert state["steps"].dtype == np.int64
    state["conv.weight"][:] = 0  # its own copy, writable


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
def test_any_view_of_a_storage(path, written, offset, shape, strides, expected):
    path.write_bytes(written({"view": ("0", VALUES, offset, shape, strides)}))
    view = read_state_dict(path)["view"]
    np.testing.assert_array_equal(view, expected)
    assert view.shape == tuple(shape) and view.flags.c_contiguous


@both_formats
def test_two_tensors_share_a_storage_in_the_file_only(path, written):
    path.write_bytes(
        written({"a": ("0", VALUES, 0, [2], [1]), "b": ("0", VALUES, 1, [2], [1])})
    )
    state = read_state_dict(path)
    state["a"][:] = 7
    assert state["b"].tolist() == [1, 2]


@both_formats
@pytest.mark.parametrize("dtype", opcodes.STORAGES)
def test_dtypes_are_kept(path, written, dtype):
    values = np.array([0, 1, 2, 100]).astype(dtype)
    path.write_bytes(written({"x": contiguous("0", values)}))
    x = read_state_dict(path)["x"]
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, values)


@both_formats
@pytest.mark.parametrize("holder", HOLDERS)
def test_the_state_dict_within_a_training_checkpoint(path, written, holder):
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
    result = read_state_dict(path)
    assert list(result) == ["w"]
    np.testing.assert_array_equal(result["w"], VALUES)


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
def test_a_checkpoint_without_weights(path, written, content, told):
    path.write_bytes(written({}, pickle.dumps(content, protocol=2)))
    with pytest.raises(UserError, match=f"{path}: {told}.*model.state_dict"):
        read_state_dict(path)


@both_formats
def test_a_number_among_the_tensors(path, written):
    tensors = {"w": contiguous("0", VALUES)}
    mixed = opcodes.items({"w": opcodes.rebuilt_tensor(*tensors["w"]), "n": b"K\x05"})
    path.write_bytes(written(tensors, opcodes.PROTO + mixed + opcodes.STOP))
    with pytest.raises(UserError, match=f"{path}: 'n' is not the name of a tensor"):
        read_state_dict(path)


@both_formats
def test_a_dict_that_holds_itself(path, written):
    endless = {}
    endless["state_dict"] = endless
    path.write_bytes(written({}, pickle.dumps(endless, protocol=2)))
    with pytest.raises(UserError, match=f"{path}: .*recursion"):
        read_state_dict(path)


def test_a_missing_file(path):
    with pytest.raises(UserError, match=f"{path}: No such file"):
        read_state_dict(path)


@pytest.fixture
def network():
    """A trained step of a small network, for files that torch itself writes."""
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(2, 3, 5, 5)).square().sum().backward()
    optimizer.step()
    return network, optimizer


@pytest.mark.parametrize("zipped", [False, True])
def test_a_training_checkpoint_of_torch(path, network, zipped):
    torch = pytest.importorskip("torch")
    model, optimizer = network
    checkpoint = {
        "epoch": 3,
        "arch": "small",
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    state = read_state_dict(path)
    expected = {k: v.numpy() for k, v in model.state_dict().items()}
    assert list(state) == list(expected)
    assert state["1.num_batches_tracked"].shape == ()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, strict=True)


@pytest.mark.parametrize("zipped", [False, True])
def test_views_and_dtypes_of_torch(path, zipped):
    torch = pytest.importorskip("torch")
    x = torch.arange(24.0).reshape(4, 6)
    tensors = collections.OrderedDict(
        (kind, x.to(getattr(torch, kind))) for kind in opcodes.STORAGES
    )
    tensors |= {"t": x.t(), "rows": x[1:], "steps": x[::2, 1::3], "one": x[3, 5]}
    tensors |= {"parameter": torch.nn.Parameter(x.t()), "none": x[:0]}
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    state = read_state_dict(path)
    assert list(state) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(state[name], tensor.detach().numpy(), strict=True)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_whole_model_is_refused(path, network, zipped, nested):
    torch = pytest.importorskip("torch")
    saved = {"model": network[0]} if nested else network[0]
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    told = r"refuses to load torch.nn.modules.container.Sequential; save a state dict: "
    with pytest.raises(UserError, match=rf"{path}: {told}torch.save\(model.state_dict"):
        read_state_dict(path)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_single_tensor(path, zipped):
    torch = pytest.importorskip("torch")
    torch.save(torch.ones(3), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=f"{path}: holds a single tensor"):
        read_state_dict(path)
