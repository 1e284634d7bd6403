"""A photo stored turned is upright for every reader, whatever its format says it by."""

import io
import itertools

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from bas_tf.data import decode, preprocess
from bas_tf.export.client import photos
from export.edge import photo
from tests.data.torture import STORED, encode, scene

FORMATS = {
    "JPEG": {}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {},
    "TIFF_LZW": {"compression": "tiff_lzw"}, "AVIF": {"quality": 95}, "HEIF": {},
}  # fmt: skip
CASES = list(itertools.product(FORMATS, ("EXIF", "XMP"), STORED))
SOME = [case for case in CASES if case[2] in (4, 6)]
NOISE = 30  # levels at a colour's edge in AVIF and HEIC, which subsample colour


def stored(file_format: str, metadata: str, orientation: int) -> bytes:
    """The scene as stored for an orientation, which EXIF or XMP alone states."""
    pixels = np.ascontiguousarray(STORED[orientation](scene()))
    options = dict(FORMATS[file_format])
    file_format = file_format.removesuffix("_LZW")
    exif, png = Image.Exif(), PngImagePlugin.PngInfo()
    text = f'<rdf:Description tiff:Orientation="{orientation}"/>'
    if metadata == "EXIF":
        exif[ExifTags.Base.Orientation] = orientation
        options["exif"] = exif.tobytes()
    elif file_format == "PNG":
        png.add_itxt("XML:com.adobe.xmp", text)
        options["pnginfo"] = png
    elif file_format == "TIFF":
        options["tiffinfo"] = {ExifTags.Base.XMLPacket: text.encode()}
    else:
        options["xmp"] = text.encode()
    if file_format == "HEIF":
        pytest.importorskip("pillow_heif")
    return encode(pixels, file_format, **options)


def assert_upright(pixels) -> None:
    difference = np.abs(np.asarray(pixels, int) - scene())
    assert difference.mean() < 2
    assert np.quantile(difference, 0.95) < NOISE


@pytest.mark.parametrize(("file_format", "metadata", "orientation"), CASES)
def test_size_and_pixels_agree(file_format, metadata, orientation):
    """Turned upright, and as they are stored; HEIF's are always turned."""
    content = stored(file_format, metadata, orientation)
    picture = decode.decode_picture(content, "photo")
    assert_upright(picture)
    assert decode.read_size(content, "photo") == picture.size
    if file_format != "HEIF":
        picture = decode.decode_picture(content, "photo", upright=False)
        assert decode.read_size(content, "photo", upright=False) == picture.size
        expected = STORED[orientation](scene())
        assert np.abs(np.asarray(picture, int) - expected).mean() < 2


@pytest.mark.parametrize(("file_format", "metadata", "orientation"), SOME)
def test_every_reader_sees_the_same(tmp_path, file_format, metadata, orientation):
    """What is sent to a server, what an edge device reads, what training resizes."""
    path = tmp_path / "photo"
    path.write_bytes(stored(file_format, metadata, orientation))
    sent = photos.encoded(path)
    with Image.open(io.BytesIO(sent.content)) as picture:
        assert picture.size == sent.size_wh == (80, 64)
        assert picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert_upright(picture)
    assert_upright(photo.open_photo(path))
    picture = decode.decode_picture(path.read_bytes(), "photo")
    assert_upright(preprocess.resize_for_training(picture, (80, 64)))


def test_an_entry_behind_the_pixels_of_a_png_counts():
    content = stored("PNG", "EXIF", 6)
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    iend = content.index(b"IEND") - 4
    moved = content[:start] + content[end:iend] + content[start:end] + content[iend:]
    assert decode.read_size(moved, "photo") == (80, 64)
    assert_upright(decode.decode_picture(moved, "photo"))


def test_the_size_of_a_png_is_read_without_its_pixels(monkeypatch):
    content = encode(scene(), "PNG")
    monkeypatch.setattr(
        PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("was decoded")
    )
    assert decode.read_size(content, "photo") == (80, 64)
