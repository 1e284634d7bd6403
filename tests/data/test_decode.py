"""Real files in, upright RGB out."""

import numpy as np
import pytest
from PIL import Image

from bas_tf.data import decode
from bas_tf.errors import DataError
from tests.data.torture import STORED


def quadrants() -> np.ndarray:
    """A 40 x 24 scene whose four quadrants differ."""
    scene = np.zeros([24, 40, 3], np.uint8)
    scene[:12, :20], scene[:12, 20:] = (250, 0, 0), (0, 250, 0)
    scene[12:, :20], scene[12:, 20:] = (0, 0, 250), (250, 250, 250)
    return scene


@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_comes_out_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](quadrants()))
    path = tmp_path / "photo.jpg"
    Image.fromarray(stored).save(path, quality=95, subsampling=0, exif=exif)
    image = decode.decode_image(path)
    assert image.shape == (24, 40, 3)
    for y, x in ((4, 6), (4, 30), (18, 6), (18, 30)):
        np.testing.assert_allclose(image[y, x], quadrants()[y, x], atol=12)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "LA"])
def test_every_png_mode_becomes_three_channels(tmp_path, mode):
    path = tmp_path / "photo.png"
    Image.fromarray(quadrants()).convert(mode).save(path)
    image = decode.decode_image(path)
    assert image.shape == (24, 40, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("suffix", ["bmp", "webp", "png"])
def test_other_formats(tmp_path, suffix):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(quadrants()).save(path, lossless=True)
    np.testing.assert_array_equal(decode.decode_image(path), quadrants())


def test_what_is_transparent_in_a_mask_is_background(tmp_path):
    """Unlike in a photo, where it is the white page behind it."""
    rgba = np.full([4, 6, 4], 255, np.uint8)
    rgba[:, :3, 3] = 0
    path = tmp_path / "mask.png"
    Image.fromarray(rgba).save(path)
    np.testing.assert_array_equal(decode.decode_mask(path), [[0] * 3 + [255] * 3] * 4)
    assert (decode.decode_image(path) == 255).all()


@pytest.mark.parametrize("content", [b"", b"<html>no photo</html>", None])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "broken.jpg"
    if content is None:  # truncated
        Image.fromarray(quadrants()).save(path)
        content = path.read_bytes()[:300]
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken.jpg: not a readable image"):
        decode.decode_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.jpg: no such file"):
        decode.decode_image(tmp_path / "gone.jpg")
