"""Encoded images for the tests of what decodes them: good ones, and others."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def smooth(size_wh: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture of coloured clouds; the same seed gives the same picture."""
    width, height = size_wh
    coarse = np.random.default_rng(seed).integers(
        0, 256, [height // 16 + 2, width // 16 + 2, 3], np.uint8
    )
    return Image.fromarray(coarse).resize(size_wh, Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose head promises this many RGB pixels, and that has none of them."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    length, checksum = len(data), zlib.crc32(kind + data)
    return struct.pack(">I", length) + kind + data + struct.pack(">I", checksum)


def _with_a_chunk_before_the_head(png: bytes) -> bytes:
    """Its size would be read from the wrong chunk; libpng skips that one."""
    return png[:8] + _chunk(b"teSt", bytes(13)) + png[8:]


def readable() -> dict[str, bytes]:
    """An image of each kind that a server decodes, none of them alike in size."""
    return {
        "jpeg": encode(smooth((250, 187)), "JPEG", quality=95),
        "progressive jpeg": encode(smooth((90, 70)), "JPEG", progressive=True),
        "grey jpeg": encode(smooth((40, 41)).convert("L"), "JPEG"),
        "cmyk jpeg": encode(smooth((64, 48)).convert("CMYK"), "JPEG"),
        "png": encode(smooth((70, 333)), "PNG"),
        "palette png": encode(smooth((33, 20)).convert("P"), "PNG"),
        "bmp": encode(smooth((33, 21)), "BMP"),
        "one pixel": encode(smooth((1, 1)), "PNG"),
        "a line": encode(smooth((1000, 3)), "PNG"),
    }


def unreadable() -> dict[str, bytes]:
    """What is no image that a server decodes."""
    jpeg, png = (encode(smooth((120, 90)), kind) for kind in ("JPEG", "PNG"))
    return {
        "empty": b"",
        "one byte": b"\xff",
        "zero bytes": bytes(100),
        "text": b"GIF? No, a text file.\n",
        "noise": np.random.default_rng(0).bytes(100_000),
        "cut jpeg": jpeg[: len(jpeg) // 2],
        "head of a jpeg": jpeg[:20],
        "cut png": png[: len(png) // 2],
        "head of a png": png[:20],
        "png without pixels": png_of_size(10, 10),
        "png of no width": png_of_size(0, 10),
        "png of negative width": png_of_size(2**31 + 5, 10),
        "png whose head comes second": _with_a_chunk_before_the_head(png),
        "gif": encode(smooth((31, 17)).convert("P"), "GIF"),
        "webp": encode(smooth((33, 20)), "WEBP"),
        "tiff": encode(smooth((33, 20)), "TIFF"),
    }
