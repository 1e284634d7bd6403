"""Encoded images to the network's pixels inside the graph, each row for itself.

An image that cannot be decoded is a row with a status, and its batch mates stay what
they are. TensorFlow has no operator that says whether an image decodes; a data set may
pass over what fails. So every image is a data set by itself, which falls back to a row
that says so. Sizes are read from the headers first: what would take too much memory is
never decoded.

JPEG, PNG and BMP. No GIF: TensorFlow keeps all of its frames, of sizes that the head
does not tell. EXIF orientation is not applied, transparency not laid over anything, and
16 bits are cut to 8: `client.photos` encodes such photos, and GIFs, anew before it
sends them.
"""

import tensorflow as tf

# A row's status. UNREADABLE is all that failed in decoding; a server's log says more.
GOOD, UNREADABLE, TOO_LARGE, UNKNOWN_CLASS = range(4)
LARGEST = 50_000_000  # pixels; 3 bytes each, of a progressive JPEG three times as much
# Pixels of a side; resizing takes 12 bytes for each x network's height.
LONGEST = 20_000
PARALLEL = 8  # images of a batch that are decoded at a time

_JPEG, _BMP = b"\xff\xd8\xff", b"BM"
_PNG, _PNG_HEAD_AT, _PNG_HEAD = b"\x89PNG\r\n\x1a\n", 12, b"IHDR"


def decode_batch(
    image_bytes: tf.Tensor, size_hw: tuple[int, int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Encoded images -> pixels of the network's size.

    Args:
      image_bytes: string [batch].
      size_hw: height and width of the network's images.

    Returns:
      images: uint8 [batch, height, width, 3], resized with antialiasing (Pillow's
        bilinear within one level), zeros where the status is not GOOD.
      image_size: int32 [batch, 2], width and height of the image as sent; 0 where it
        is UNREADABLE.
      status: int32 [batch], GOOD, UNREADABLE or TOO_LARGE.
    """
    count = tf.cast(tf.shape(image_bytes)[0], tf.int64)
    rows = tf.data.Dataset.from_tensor_slices(image_bytes).map(
        lambda encoded: _row(encoded, size_hw), num_parallel_calls=PARALLEL
    )
    return rows.batch(count).get_single_element()


def resize(images: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """uint8 [batch, H, W, 3] -> uint8 [batch, h, w, 3], antialiased bilinear."""
    resized = tf.image.resize(images, size_hw, antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _row(encoded: tf.Tensor, size_hw: tuple[int, int]):
    one = tf.data.Dataset.from_tensors(encoded)
    good = one.map(lambda encoded: _decoded(encoded, size_hw))
    bad = one.map(lambda _: _nothing(tf.zeros([2], tf.int32), UNREADABLE, size_hw))
    return good.ignore_errors().concatenate(bad).take(1).get_single_element()


def _decoded(encoded: tf.Tensor, size_hw: tuple[int, int]):
    """Image, size and status of a readable image; of another one an error."""
    size_wh = _header_size(encoded)
    area = tf.reduce_prod(tf.cast(size_wh, tf.int64))
    return tf.cond(
        (area > LARGEST) | tf.reduce_any(size_wh > LONGEST),
        lambda: _nothing(size_wh, TOO_LARGE, size_hw),
        lambda: _pixels(encoded, size_wh, size_hw),
    )


def _pixels(encoded: tf.Tensor, size_wh: tf.Tensor, size_hw: tuple[int, int]):
    image = tf.cond(
        _starts_with(encoded, _JPEG),
        # The slow transform is the one that Pillow takes.
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    same = tf.debugging.assert_equal(tf.shape(image)[1::-1], size_wh)
    with tf.control_dependencies([same]):  # the head had told the truth
        resized = resize(image[tf.newaxis], size_hw)[0]
    return resized, size_wh, tf.constant(GOOD)


def _nothing(size_wh: tf.Tensor, status: int, size_hw: tuple[int, int]):
    return tf.zeros([*size_hw, 3], tf.uint8), size_wh, tf.constant(status)


def _header_size(encoded: tf.Tensor) -> tf.Tensor:
    """Width and height, int32 [2], from the file's head; an error where it has none."""
    cases = [
        (_JPEG, lambda: tf.image.extract_jpeg_shape(encoded)[1::-1]),
        (_PNG, lambda: _png_size(encoded)),
        # A negative height says that the rows come from above.
        (_BMP, lambda: tf.abs(_integers(encoded, [18, 22]))),
    ]
    size_wh = tf.case(
        [(_starts_with(encoded, magic), read) for magic, read in cases],
        default=lambda: tf.zeros([2], tf.int32),
    )
    with tf.control_dependencies([tf.debugging.assert_positive(size_wh)]):
        return tf.identity(size_wh)


def _png_size(encoded: tf.Tensor) -> tf.Tensor:
    """Of the first chunk, which has to be the head; an error where it is not."""
    kind = tf.strings.substr(encoded, _PNG_HEAD_AT, len(_PNG_HEAD))
    with tf.control_dependencies([tf.debugging.assert_equal(kind, _PNG_HEAD)]):
        return _integers(encoded, [16, 20], big_endian=True)


def _starts_with(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)


def _integers(encoded: tf.Tensor, places: list[int], *, big_endian=False):
    """The int32 numbers at these bytes; an error where the string ends before."""
    parts = [tf.strings.substr(encoded, place, 4) for place in places]
    numbers = tf.io.decode_raw(parts, tf.int32, little_endian=not big_endian)
    return numbers[:, 0]
