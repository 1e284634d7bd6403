"""Image files to upright RGB pixels: the content decides, not the file's extension.

Colour profiles (ICC) are ignored: pixels are the numbers in the file, as the networks
were trained on them; a photo in a wide-gamut space looks paler than a browser shows it.
"""

import io
import re
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from bas_tf.data.records import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# The formats tried, by content; others that Pillow knows run interpreters or guess.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
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
_BEGINNINGS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND\xaeB`\x82"


def decode_image(path: str | Path, *, upright: bool = True) -> np.ndarray:
    """Reads a photo the way a person sees it: EXIF rotation applied, three channels.

    Grey becomes three equal channels; 16-bit grey is scaled to 8 bits, not clipped;
    CMYK and YCCK JPEG are taken as Adobe writes them (inverted); transparency is
    composed onto white, as on a page. Of an animation or a file of several pages, the
    first picture. ICC profiles are ignored (see the module).

    Args:
      path: JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF, whatever its extension.
      upright: False leaves the stored pixels unturned: published sets draw their boxes
        on those.

    Returns:
      uint8 [height, width, 3] RGB.

    Raises:
      DataError: the file is missing, truncated, of more than MAX_PIXELS pixels, or no
        image; one line that names it.
    """
    return decode_bytes(_read(path), str(path), upright=upright)


def decode_bytes(content: bytes, name: str, *, upright: bool = True) -> np.ndarray:
    """As `decode_image`, of a file's content; `name` is what an error calls it."""
    return _decode(content, name, background=WHITE, upright=upright)


def decode_mask(path: str | Path) -> np.ndarray:
    """Reads an evaluation mask: uint8 [height, width], 0, 128 (ignore) or 255.

    What is transparent is background.

    Raises:
      DataError: as `decode_image`.
    """
    return _decode(_read(path), str(path), background=BLACK)[..., 0]


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _decode(
    content: bytes, name: str, *, background: tuple[int, ...], upright: bool = True
) -> np.ndarray:
    try:
        file = io.BytesIO(content)
        with Image.open(file, formats=FORMATS) as image:
            _check_pixels(image.width * image.height, name)
            _check_complete(image, content, pixels_from=file.tell())
            image.load()
            rgb = _flatten(image, background)
            if not upright:
                return np.asarray(rgb)
            # EXIF that cannot be parsed is empty to Pillow: nothing is rotated.
            method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
            return np.asarray(rgb if method is None else rgb.transpose(method))
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise _unreadable(name, _describe(content)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, int(re.findall(r"\d+", str(error))[0])) from error
    except Exception as error:  # broken bytes fail in more ways than Pillow documents
        reason = str(error).splitlines()[0] if str(error) else ""
        raise _unreadable(name, reason or type(error).__name__) from error


def _check_pixels(pixels: int, name: str) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large(name, pixels)


def _check_complete(image: Image.Image, content: bytes, *, pixels_from: int) -> None:
    """Finds what Pillow lets pass: a missing end, PNG bytes that fail their checksum.

    Args:
      image: just opened.
      content: the whole file.
      pixels_from: where the header ends; a JPEG's thumbnail has an end of its own
        before that.
    """
    if image.format == "JPEG" and content.find(_JPEG_END, pixels_from) < 0:
        raise ValueError("truncated: no end of image")
    if image.format == "PNG":
        if _PNG_END not in content:
            raise ValueError("truncated: no IEND chunk")
        with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
            again.verify()  # an image that was verified cannot be loaded


def _flatten(image: Image.Image, background: tuple[int, ...]) -> Image.Image:
    """RGB of any mode, before rotation."""
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a channel, of unknown range; 8 or 16 would work")
    if image.mode.startswith("I;16"):
        image = _to_8_bits(image)
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
    """What a file that is no image looks like."""
    if not content:
        return "empty file"
    if not content.strip(b"\0"):
        return "nothing but zero bytes"
    if content.startswith(_BEGINNINGS):
        return "truncated or damaged where the image is described"
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "HTML or XML text"
    if content[4:8] == b"ftyp":
        return "HEIC or video; save the photo as JPEG"
    return f"starts with {content[:8]!r}; {', '.join(FORMATS)} are read"


def _unreadable(name: str, reason: str) -> DataError:
    return DataError(f"{name}: not a readable image ({reason})")


def _too_large(name: str, pixels: int) -> DataError:
    return DataError(
        f"{name}: {pixels} pixels are more than the {MAX_PIXELS} that are decoded; "
        "scale it down"
    )
