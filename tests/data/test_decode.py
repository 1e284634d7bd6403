"""Real files in, upright RGB out."""

import struct

import numpy as np
import pytest
from PIL import Image

from bas_tf.data import decode
from bas_tf.errors import DataError


def test_what_is_transparent_in_a_mask_is_background(tmp_path):
    """Unlike in a photo, where it is the white page behind it."""
    rgba = np.full([4, 6, 4], 255, np.uint8)
    rgba[:, :3, 3] = 0
    path = tmp_path / "mask.png"
    Image.fromarray(rgba).save(path)
    np.testing.assert_array_equal(decode.decode_mask(path), [[0] * 3 + [255] * 3] * 4)
    assert (decode.decode_image(path) == 255).all()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.jpg: no such file"):
        decode.decode_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_a_tiff_of_floating_point_is_named_as_such(tmp_path, channels, byte_order):
    """Pillow reads the grey one as floats and identifies none in colour."""
    path = tmp_path / "float.tif"
    path.write_bytes(float_tiff(np.zeros([4, 6, *channels], np.float32), byte_order))
    with pytest.raises(DataError, match="float.tif: .*floating point, not read"):
        decode.decode_image(path)


def float_tiff(samples: np.ndarray, byte_order: str) -> bytes:
    """A TIFF of one strip; struct's "<" or ">" orders its bytes."""
    height, width, *channels = samples.shape
    bands = channels[0] if channels else 1
    entries = [
        (256, width), (257, height), (258, 32), (259, 1), (262, 2 if channels else 1),
        (273, 8 + 2 + 12 * 9 + 4), (277, bands), (279, samples.nbytes), (339, 3),
    ]  # fmt: skip
    directory = b"".join(
        struct.pack(f"{byte_order}HHII", t, 4, 1, v) for t, v in entries
    )
    start = struct.pack(f"{byte_order}HI", 42, 8)
    count = struct.pack(f"{byte_order}H", len(entries))
    mark = b"II" if byte_order == "<" else b"MM"
    values = samples.astype(f"{byte_order}f4").tobytes()
    return mark + start + count + directory + bytes(4) + values


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_a_heic_without_its_package_says_what_reads_it(tmp_path, monkeypatch, brand):
    path = tmp_path / "phone.HEIC"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(20))
    formats = [name for name in decode.FORMATS if name != "HEIF"]
    monkeypatch.setattr(decode, "FORMATS", formats)
    with pytest.raises(DataError, match="phone.HEIC: .*pip install pillow-heif"):
        decode.decode_image(path)
