"""Image files to upright RGB pixels: the content decides, not the file's extension.

What cannot be read is a DataError: one line that names it.

Colour profiles (ICC) are ignored: pixels are the numbers in the file, as the networks
were trained on them; a photo in a wide-gamut space looks paler than a browser shows it.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from bas_tf.errors import DataError

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".png", ".webp", ".bmp", ".gif",
    ".tif", ".tiff", ".avif", ".heic", ".heif",
)  # fmt: skip
# The formats tried, by content; others that Pillow knows run interpreters or guess.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
with contextlib.suppress(ImportError):  # an optional package reads HEIC
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS = (*FORMATS, "HEIF")
# 240 MB as RGB. Below the 89 million at which Pillow warns, so no file that is decoded
# gives a warning.
MAX_PIXELS = 80_000_000
WHITE, BLACK = (255, 255, 255), (0, 0, 0)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation: what makes the stored pixels upright
_BACK = {**_UPRIGHT, 6: _UPRIGHT[8], 8: _UPRIGHT[6]}  # and the upright ones as stored
_SWAPPING = (5, 6, 7, 8)  # those that swap width and height
_BEGINNINGS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND\xaeB`\x82"
_PNG_BIT_DEPTH_AT = 24  # after 8 bytes of signature, 8 of IHDR's head, 8 of size
_PNG_ORIENTATIONS = (b"eXIf", b"exif", b"xmp")  # in the names of chunks that have one
_HEIC = (b"hei", b"hev", b"mif")  # how its brands begin
_FLOATING_POINT = 3  # TIFF's SampleFormat
_FLOAT_REASON = "floating point, not read; 8 or 16 bits a channel would work"


def decode_image(path: str | Path) -> np.ndarray:
    """A photo's file as uint8 [height, width, 3] RGB; see `decode_picture`."""
    return np.asarray(decode_picture(read_file(path), str(path)))


def decode_picture(content: bytes, name: str, *, upright: bool = True) -> Image.Image:
    """Decodes a photo the way a person sees it: turned as its metadata say, mode RGB.

    EXIF's orientation counts in every format, XMP's where EXIF has none.

    Grey becomes three equal channels; 16-bit grey is scaled to 8 bits, not clipped;
    CMYK and YCCK JPEG are taken as Adobe writes them (inverted); transparency is
    composed onto white, as on a page. Of an animation or a file of several pages, the
    first picture. ICC profiles are ignored (see the module).

    Args:
      content: of a JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF, whatever its extension;
        of a HEIC where the package pillow-heif is installed, which always turns it.
      name: what an error calls it.
      upright: False leaves the stored pixels unturned: published sets draw their boxes
        on those.

    Raises:
      DataError: truncated, of more than MAX_PIXELS pixels, or no image.
    """
    return _decode(content, name, background=WHITE, upright=upright)


def decode_pil(image: Image.Image) -> np.ndarray:
    """As `decode_image`, of an image that Pillow opened or made; TIFF is upright."""
    try:
        image.load()
        upright = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
        return np.asarray(_flatten(upright, WHITE))
    except (OSError, ValueError) as error:
        raise DataError(f"a PIL image of mode {image.mode}: {error}") from error


def read_size(content: bytes, name: str, *, upright: bool = True) -> tuple[int, int]:
    """Width and height of what `decode_picture` gives, from the file's header."""
    with opened(content, name) as image:
        size_wh = _stored_size(image)
        turned = upright and _orientation(image, content) in _SWAPPING
        return size_wh[::-1] if turned else size_wh


def bits_per_channel(content: bytes, name: str) -> int:
    """16 for a PNG or TIFF that has as many, else 8."""
    with opened(content, name) as image:
        if image.format == "PNG":
            return max(8, content[_PNG_BIT_DEPTH_AT])
        if image.format == "TIFF":
            return max(8, *image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        return 8


def decode_mask(path: str | Path) -> np.ndarray:
    """Reads an evaluation mask: uint8 [height, width], 0, 128 (ignore) or 255.

    What is transparent is background.
    """
    return mask_from_bytes(read_file(path), str(path))


def mask_from_bytes(content: bytes, name: str) -> np.ndarray:
    """As `decode_mask`, of a file's content; `name` is what an error calls it."""
    return np.asarray(_decode(content, name, background=BLACK))[..., 0]


def read_file(path: str | Path) -> bytes:
    """A file's content."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _decode(
    content: bytes, name: str, *, background: tuple[int, ...], upright: bool = True
) -> Image.Image:
    with opened(content, name) as image:
        _check_complete(image, content)
        orientation = _orientation(image, content)
        image.load()
        rgb = _flatten(image, background)
        if image.format == "TIFF":  # Pillow has turned it, and no other format
            method = None if upright else _BACK.get(orientation)
        else:
            method = _UPRIGHT.get(orientation) if upright else None
        return rgb if method is None else rgb.transpose(method)


@contextlib.contextmanager
def opened(content: bytes, name: str) -> Iterator[Image.Image]:
    """The image as it is stored, not loaded; all that goes wrong is a DataError."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(name, image.width * image.height)
            yield image
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise _unreadable(name, _describe(content)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, int(re.findall(r"\d+", str(error))[0])) from error
    except Exception as error:  # broken bytes fail in more ways than Pillow documents
        reason = str(error).splitlines()[0] if str(error) else ""
        raise _unreadable(name, reason or type(error).__name__) from error


def _orientation(image: Image.Image, content: bytes) -> int:
    """EXIF's or else XMP's, 1 without; EXIF that cannot be parsed is empty to Pillow.

    Args:
      image: just opened; loading a TIFF drops what is asked for here.
      content: the whole file.
    """
    # Pillow decodes a PNG to look for chunks behind the pixels.
    if image.format == "PNG" and not any(name in content for name in _PNG_ORIENTATIONS):
        return 1
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before any turn; Pillow swaps those of some TIFFs on opening."""
    if image.format != "TIFF":
        return image.size
    tags = image.tag_v2
    return tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]


def _check_complete(image: Image.Image, content: bytes) -> None:
    """Finds what Pillow accepts: a missing end, PNG bytes that fail their checksum.

    Args:
      image: just opened.
      content: the whole file.
    """
    # A JPEG's thumbnail has its own end, before the place Pillow has read to.
    if image.format == "JPEG" and content.find(_JPEG_END, image.fp.tell()) < 0:
        raise ValueError("truncated: no end of image")
    if image.format == "PNG":
        if _PNG_END not in content:
            raise ValueError("truncated: no IEND chunk")
        with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
            again.verify()  # an image that was verified cannot be loaded


def _flatten(image: Image.Image, background: tuple[int, ...]) -> Image.Image:
    """RGB of any mode, before rotation."""
    if image.mode == "F":
        raise ValueError(_FLOAT_REASON)
    if image.mode == "I":
        raise ValueError("32 bits a channel, of unknown range; 8 or 16 would work")
    if image.mode.startswith("I;16"):
        image = _to_8_bits(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image  # `convert` would copy it
    if not image.has_transparency_data:
        return image.convert("RGB")
    page = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """16-bit grey to "L", or to "LA" when one grey level stands for transparency."""
    samples = np.asarray(image).astype(np.uint32)
    grey = ((samples + 128) // 257).astype(np.uint8)  # 65535 / 257 = 255, rounded
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    alpha = np.where(samples == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])


def _describe(content: bytes) -> str:
    """What a file that is not an image looks like."""
    if not content:
        return "empty file"
    if not content.strip(b"\0"):
        return "nothing but zero bytes"
    if _is_float_tiff(content):
        return _FLOAT_REASON
    if content.startswith(_BEGINNINGS):
        return "truncated or damaged where the image is described"
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "HTML or XML text"
    if content[4:8] == b"ftyp":
        if content[8:11] in _HEIC and "HEIF" not in FORMATS:
            return "HEIC; `pip install pillow-heif` reads it, or save it as JPEG"
        return "video, or a damaged HEIC or AVIF; save the photo as JPEG"
    return f"starts with {content[:8]!r}; {', '.join(FORMATS)} are read"


def _is_float_tiff(content: bytes) -> bool:
    """Whether it is a TIFF of float samples, most of which Pillow does not identify."""
    if not content.startswith((b"II*\0", b"MM\0*")):
        return False
    file = io.BytesIO(content)
    with contextlib.suppress(Exception):  # whatever is wrong with its directory
        entries = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(entries.next)
        entries.load(file)
        return _FLOATING_POINT in entries.get(TiffImagePlugin.SAMPLEFORMAT, ())
    return False


def _unreadable(name: str, reason: str) -> DataError:
    return DataError(f"{name}: not a readable image ({reason})")


def _too_large(name: str, pixels: int) -> DataError:
    return DataError(
        f"{name}: {pixels} pixels are more than the {MAX_PIXELS} that are decoded; "
        "scale it down"
    )
