"""Rows of a batch next to Pillow's pixels; what is no image, or too large a one."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bas_tf.export.artifacts import decoding
from bas_tf.export.client import served
from tests.export import encoded_images
from tests.export.encoded_images import encode, smooth

SIZE_HW = (48, 64)


@pytest.fixture(scope="module")
def decode():
    function = tf.function(
        lambda image_bytes: decoding.decode_batch(image_bytes, SIZE_HW),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    return lambda contents: [t.numpy() for t in function(tf.constant(list(contents)))]


def as_pillow_does(content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    with Image.open(io.BytesIO(content)) as image:
        resized = image.convert("RGB").resize(SIZE_HW[::-1], Image.Resampling.BILINEAR)
        return np.asarray(resized, np.int64), image.size


def test_each_kind_is_pillows_image_within_one_level(decode):
    contents = encoded_images.readable()
    images, sizes, status = decode(contents.values())
    assert images.dtype == np.uint8
    assert (status == decoding.GOOD).all()
    for kind, image, size in zip(contents, images, sizes, strict=True):
        expected, size_wh = as_pillow_does(contents[kind])
        np.testing.assert_allclose(image, expected, atol=1, err_msg=kind)
        assert tuple(size) == size_wh, kind


def test_pixels_of_the_networks_size_are_left_as_they_are(decode):
    image = smooth(SIZE_HW[::-1])
    images, _, _ = decode([encode(image, "PNG")])
    np.testing.assert_array_equal(images[0], np.asarray(image))


def test_what_cannot_be_decoded_is_a_row_that_says_so(decode):
    images, sizes, status = decode(encoded_images.unreadable().values())
    assert (status == decoding.UNREADABLE).all(), status
    assert not images.any() and not sizes.any()


@pytest.mark.parametrize("place", range(8))
def test_an_unreadable_image_leaves_its_batch_mates_what_they_are(decode, place):
    good = [encode(smooth((30 + i, 20), seed=i), "JPEG") for i in range(8)]
    expected = [column[np.arange(8) != place] for column in decode(good)]
    good[place] = good[place][:-100]
    images, sizes, status = decode(good)
    assert (status == decoding.UNREADABLE).tolist() == [i == place for i in range(8)]
    for column, others in zip((images, sizes, status), expected, strict=True):
        np.testing.assert_array_equal(np.delete(column, place, axis=0), others)


def test_more_pixels_than_are_decoded(decode, monkeypatch):
    """The head alone is read: 30,000 x 30,000 pixels would take 2.7 GB."""
    contents = [encoded_images.png_of_size(30_000, 30_000)]
    images, sizes, status = decode(contents)
    assert status.tolist() == [decoding.TOO_LARGE]
    assert sizes.tolist() == [[30_000, 30_000]]
    assert not images.any()
    monkeypatch.setattr(decoding, "LARGEST", 30 * 20)
    fits, larger = (encode(smooth(size), "JPEG") for size in ((30, 20), (30, 21)))
    _, _, status = decoding.decode_batch(tf.constant([fits, larger]), SIZE_HW)
    assert status.numpy().tolist() == [decoding.GOOD, decoding.TOO_LARGE]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_sizes_come_from_the_head_of_each_kind(decode, kind, monkeypatch):
    monkeypatch.setattr(decoding, "LARGEST", 10)
    content = encode(smooth((300, 7)), kind)
    _, sizes, status = decoding.decode_batch(tf.constant([content]), SIZE_HW)
    assert status.numpy().tolist() == [decoding.TOO_LARGE]
    assert sizes.numpy().tolist() == [[300, 7]]


@pytest.mark.parametrize("size", [(20_001, 1), (1, 20_001)])
def test_a_side_that_is_too_long_to_be_resized(decode, size):
    """Few bytes and few pixels; a line is resized by way of height x its width."""
    _, sizes, status = decode([encode(Image.new("RGB", size), "PNG")])
    assert status.tolist() == [decoding.TOO_LARGE]
    assert sizes.tolist() == [list(size)]


def test_the_client_knows_each_fault_of_a_row():
    faults = {decoding.UNREADABLE, decoding.TOO_LARGE, decoding.UNKNOWN_CLASS}
    assert served._FAULTS.keys() == faults


def test_a_bmp_whose_rows_come_from_above(decode):
    """Its height is negative in the file."""
    picture = smooth((33, 21))
    content = encode(picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM), "BMP")
    content = content[:22] + struct.pack("<i", -21) + content[26:]
    images, sizes, status = decode([content])
    assert status.tolist() == [decoding.GOOD]
    assert sizes.tolist() == [[33, 21]]
    expected, _ = as_pillow_does(encode(picture, "BMP"))
    np.testing.assert_allclose(images[0], expected, atol=1)
