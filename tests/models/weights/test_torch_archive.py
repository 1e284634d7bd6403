"""Damaged and dishonest torch files: one line that names the file, never a crash."""

import pickle
import zipfile

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights.torch_file import read_state_dict
from tests.models.weights.legacy_torch import contiguous, legacy_file
from tests.models.weights.zip_torch import both_formats, zip_entries, zip_file, zip_of

VALUES = np.arange(24, dtype=np.float32)
TENSORS = {"a": contiguous("0", VALUES), "b": contiguous("1", VALUES[:3])}


@pytest.fixture
def told(path):
    """Writes a file; returns the one line that tells what is wrong with it."""

    def told(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_state_dict(path)
        line = str(caught.value)
        assert line.startswith(f"{path}: ") and "\n" not in line
        assert "torch.save(model.state_dict(), path)" in line
        return line

    return told


@both_formats
def test_every_truncation(told, written):
    """The zip's directory stands at its end; the legacy file's sizes at its start."""
    content = written(TENSORS)
    for size in range(0, len(content), 11):
        assert "not a readable torch file (" in told(content[:size])


def test_the_end_within_a_storage(told):
    """3 float32 end the file; 5 of their 12 bytes are cut off."""
    assert "it ends within storage 1" in told(legacy_file(TENSORS)[:-5])


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>not found</html>", "it is a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "invalid"),
        (b"PK\x03\x04" + bytes(99), "not a zip file"),
        (pickle.dumps([1, 2], protocol=2), "not a torch file of the legacy or the zip"),
        (pickle.dumps({"w": 1}), "not a torch file of the legacy or the zip"),
    ],
)
def test_other_files(told, content, reason):
    assert reason in told(content)


@both_formats
@pytest.mark.parametrize(
    "offset, shape, strides",
    [(0, [25], [1]), (23, [2], [1]), (0, [4, 6], [7, 1]), (0, [2], [-1]),
     (-3, [2], [1]), (0, [2, 2], [1]), (0, [-1], [1]), (24, [], [])],
)  # fmt: skip
def test_a_tensor_outside_its_storage(told, written, offset, shape, strides):
    """Unchecked, a view by strides reads memory that is not the file's."""
    line = told(written({"view": ("0", VALUES, offset, shape, strides)}))
    assert "not a readable torch file (a " in line


@both_formats
def test_one_value_repeated_without_end(told, written):
    """2^50 float32 by stride 0 would fill 4 PiB."""
    shape = [2**25, 2**25]
    line = told(written({"bomb": ("0", VALUES, 0, shape, [0, 0])}))
    assert "'bomb' of shape (33554432, 33554432) exceeds the file" in line


def test_a_storage_shorter_than_promised(told):
    entries = zip_entries(TENSORS) | {"archive/data/0": VALUES[:23].tobytes()}
    assert "storage 0 has 92 bytes of 96" in told(zip_of(entries))
    legacy = legacy_file(TENSORS)
    count = (24).to_bytes(8, "little") + VALUES.tobytes()
    assert legacy.count(count) == 1
    line = told(legacy.replace(count, (23).to_bytes(8, "little") + VALUES.tobytes()))
    assert "storage 0 has 23 values of 24" in line


def test_a_negative_or_enormous_count(told):
    for count in (-1, 2**62):
        content = legacy_file({"a": TENSORS["a"]})
        content = content[:-104] + count.to_bytes(8, "little", signed=True)
        assert f"storage 0 has {count} values of 24" in told(content + bytes(96))


def test_a_storage_that_is_not_in_the_file(told):
    entries = zip_entries(TENSORS)
    del entries["archive/data/1"]
    assert "no item named 'archive/data/1'" in told(zip_of(entries))
    keys = pickle.dumps(["0", "1"], protocol=2)
    content = legacy_file(TENSORS)
    assert content.count(keys) == 1
    content = content.replace(keys, pickle.dumps(["0"], protocol=2))
    assert "without the values of storage 1" in told(content)


def test_zip_files_of_something_else(told):
    assert "0 entries data.pkl" in told(zip_of({"photos/cat.jpg": b"no"}))
    assert "2 entries data.pkl" in told(zip_of({"a/data.pkl": b"", "b/data.pkl": b""}))


def test_a_compressed_file_is_not_unpacked(told):
    """A thousandfold smaller file could fill the memory; torch never compresses."""
    bomb = {"archive/data.pkl": bytes(10**6)}
    line = told(zip_of(bomb, compression=zipfile.ZIP_DEFLATED))
    assert "archive/data.pkl is compressed" in line


def test_a_zip_entry_that_claims_more_than_the_file(told):
    """The sizes of an entry in the zip's directory: 96 -> 2^30 + 96, twice."""
    content = zip_file({"a": TENSORS["a"]})
    directory = content.index(b"PK\x01\x02")
    entry = content.index((96).to_bytes(4, "little") * 2, directory)
    claim = (2**30 + 96).to_bytes(4, "little") * 2
    content = content[:entry] + claim + content[entry + 8 :]
    assert "archive/data/0 claims 1073741920 bytes" in told(content)


def test_a_flipped_bit_in_a_zip(told):
    """The checksum of the zip entry tells."""
    content = bytearray(zip_file(TENSORS))
    content[content.index(VALUES.tobytes()) + 9] ^= 1
    assert "Bad CRC-32 for file 'archive/data/0'" in told(bytes(content))


def test_big_endian_files(told):
    entries = zip_entries(TENSORS) | {"archive/byteorder": b"big"}
    assert "big-endian" in told(zip_of(entries))
    platform = [pickle.dumps({"little_endian": e}, protocol=2) for e in (True, False)]
    assert "big-endian" in told(legacy_file(TENSORS).replace(*platform))


def test_zip_files_before_the_byte_order_was_written(path):
    entries = zip_entries(TENSORS)
    del entries["archive/byteorder"]
    path.write_bytes(zip_of(entries))
    np.testing.assert_array_equal(read_state_dict(path)["a"], VALUES)
