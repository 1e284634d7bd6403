"""Which bytes of a photo are sent, and which files a folder has."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf.data import decode
from bas_tf.export.client import photos


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def saved(path, mode="RGB", **options):
    channels = {"L": (), "RGBA": (4,), "CMYK": (4,)}.get(mode, (3,))
    image = Image.fromarray(noise(20, 40, *channels), mode if mode == "CMYK" else None)
    if options.pop("palette", False):
        image = image.quantize(16)
    image.save(path, **options)
    return path


def rotated_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("name, mode", [
    ("a.jpg", "RGB"), ("a.jpg", "L"), ("a.png", "RGB"), ("a.png", "L"),
])  # fmt: skip
def test_what_needs_nothing_is_sent_as_it_is(tmp_path, name, mode):
    path = saved(tmp_path / name, mode)
    encoded = photos.encoded(path)
    assert encoded.content == path.read_bytes()
    assert encoded.size_wh == (40, 20)


@pytest.mark.parametrize("name, options", [
    ("a.webp", {"lossless": True}),
    ("a.tif", {}),
    ("a.gif", {}),
    ("a.bmp", {}),
    ("a.jpg", {"mode": "CMYK"}),
    ("a.jpg", {"exif": rotated_exif()}),
    ("a.png", {"exif": rotated_exif()}),
    ("a.png", {"mode": "RGBA"}),
    ("a.png", {"palette": True}),
    ("a.png", {"transparency": (1, 2, 3)}),
])  # fmt: skip
def test_what_the_server_would_read_otherwise_is_sent_as_upright_png(
    tmp_path, name, options
):
    path = saved(tmp_path / name, **options)
    encoded = photos.encoded(path)
    sent = Image.open(io.BytesIO(encoded.content))
    assert (sent.format, sent.mode, sent.size) == ("PNG", "RGB", encoded.size_wh)
    np.testing.assert_array_equal(np.asarray(sent), decode.decode_image(path))
    assert encoded.size_wh == ((20, 40) if "exif" in options else (40, 20))


def test_16_bit_grey_is_sent_as_8_bits(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(noise(20, 40).astype(np.uint16) * 257).save(path)
    sent = Image.open(io.BytesIO(photos.encoded(path).content))
    np.testing.assert_array_equal(np.asarray(sent), decode.decode_image(path))
    assert sent.mode == "RGB"


def test_16_bit_colour_is_not_sent_as_it_is(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(_png_of_16_bit_colour())
    assert photos.encoded(path).content != path.read_bytes()


def _png_of_16_bit_colour():
    import cv2

    return cv2.imencode(".png", noise(20, 40, 3).astype(np.uint16) * 257)[1].tobytes()


def test_photos_of_files_and_folders(tmp_path):
    root = tmp_path / "in"
    for name in ("b.JPG", "sub/a.png", "sub/note.txt", "out/overlays/b.JPG.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    arguments = [str(root / "sub" / "note.txt"), str(root), str(root / "b.JPG")]
    found = photos.find_photos(arguments, output=root / "out")
    assert found == {
        root / "sub" / "note.txt": Path("note.txt"),
        root / "b.JPG": Path("b.JPG"),
        root / "sub" / "a.png": Path("sub/a.png"),
    }
