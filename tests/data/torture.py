"""The torture folder: the same scene in every way that cameras and scrapers write it.

Each case holds a file's bytes, made here, with the pixels it must give or the words in
which it must be refused. The scene is 80 x 64: a yellow blob at BOX before a background
of two colours, all edges on multiples of 16, so that JPEG's blocks are flat.
"""

import dataclasses
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

from tests.data import tiny_sets

BOX = (16, 16, 48, 32)  # x0, y0, x1, y1, half-open; four different margins
YELLOW, BLUE, RED = (240, 220, 40), (30, 60, 120), (120, 40, 60)
LOSSY = 4  # levels: JPEG at quality 95, flat blocks, rounding of YCbCr and CMYK

# How a camera stores the upright scene for each EXIF orientation.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x.transpose(1, 0, 2)[::-1],
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x.transpose(1, 0, 2)[:, ::-1],
}


@dataclasses.dataclass(frozen=True)
class Readable:
    """A file that gives `pixels` within `tolerance` levels, its blob at `box`.

    `edge` pixels on both sides of the colours' edges, which subsampled colour blurs,
    are not compared.
    """

    content: bytes
    pixels: np.ndarray
    tolerance: int = 0
    box: tuple[int, int, int, int] = BOX
    edge: int = 0


def scene() -> np.ndarray:
    """uint8 [64, 80, 3]."""
    pixels = np.empty([64, 80, 3], np.uint8)
    pixels[:, :32], pixels[:, 32:] = BLUE, RED
    x0, y0, x1, y1 = BOX
    pixels[y0:y1, x0:x1] = YELLOW
    return pixels


def encode(pixels: np.ndarray | Image.Image, file_format: str, **options) -> bytes:
    """A file's bytes; JPEG at quality 95 without colour subsampling by default."""
    if file_format == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def oriented(orientation: int, file_format: str = "JPEG", **options) -> bytes:
    """The scene as a camera held that way stores it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED.get(orientation, STORED[1])(scene()))
    return encode(stored, file_format, exif=exif, **options)


def readable() -> dict[str, Readable]:
    """{file name: case}."""
    return _jpegs() | _lossless() | _transparent() | _sizes()


def refused() -> dict[str, tuple[bytes, str]]:
    """{file name: (bytes, a pattern of the error)}."""
    jpeg, png = encode(scene(), "JPEG"), encode(scene(), "PNG")
    progressive = encode(scene(), "JPEG", progressive=True)
    return {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated_progressive.jpg": (progressive[:-40], "truncated"),
        "truncated_by_its_end.jpg": (jpeg[:-2], "truncated: no end of image"),
        "truncated_with_thumbnail.jpg": (_with_thumbnail()[:-2], "no end of image"),
        "zeros_for_the_rest.jpg": (jpeg[:-300] + bytes(300), "truncated"),
        "truncated.png": (png[: len(png) // 2], "truncated"),
        "truncated_by_its_end.png": (png[:-4], "truncated: no IEND chunk"),
        "flipped_bit.png": (_flip_bit(png, png.index(b"IDAT") + 20), "broken|checksum"),
        "flipped_checksum.png": (_flip_bit(png, png.index(b"IEND") - 5), "checksum"),
        "truncated.webp": (encode(scene(), "WEBP", lossless=True)[:-9], "truncated"),
        "truncated.bmp": (encode(scene(), "BMP")[:-9], "truncated"),
        "truncated.gif": (encode(scene(), "GIF")[:-9], "truncated"),
        "empty.jpg": (b"", "empty file"),
        "zeros.jpg": (bytes(4096), "nothing but zero bytes"),
        "page.jpg": (b"\n<!DOCTYPE html><html>404</html>", "HTML or XML text"),
        "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        "words.jpg": (b"no photo at all", "starts with b'no photo'; JPEG, PNG"),
        "portable_pixmap.jpg": (b"P6 1 1 255\n123", "starts with b'P6 1 1 2"),
        "bomb.png": (png_header(60_000, 50_000), "3000000000 pixels are more than"),
        "float.tif": (encode(np.ones([4, 4], np.float32), "TIFF"), "floating point"),
    }


def write_folder(root: Path) -> Path:
    """Every case as root/val/thing/<name>, with boxes.csv of all readable ones."""
    folder, cases = root / "val" / "thing", readable()
    folder.mkdir(parents=True)
    contents = {name: case.content for name, case in cases.items()}
    contents |= {name: content for name, (content, _) in refused().items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    boxes = {f"val/thing/{name}": [case.box] for name, case in cases.items()}
    tiny_sets.write_csv(root, boxes)
    return root


def blob_box(image: np.ndarray, seed_box: tuple[int, int, int, int]) -> np.ndarray:
    """The box of the pixels coloured like the middle of `seed_box`, half-open."""
    x, y = (seed_box[0] + seed_box[2]) // 2, (seed_box[1] + seed_box[3]) // 2
    distance = np.abs(image.astype(int) - image[y, x]).max(axis=-1)
    ys, xs = np.nonzero(distance <= 40)  # grey on white is the closest pair: 50 levels
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def swapped_profile() -> bytes:
    """An sRGB profile with red and green exchanged: obeying it would be seen."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1)
    return swapped.replace(b"????", b"gXYZ", 1)


def png_header(width: int, height: int) -> bytes:
    """A valid PNG of a few bytes that promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def inks(pixels: np.ndarray) -> np.ndarray:
    """RGB to C, M, Y, K, 255 full ink, with as much black as goes: [h, w, 4] uint8."""
    light = pixels.max(axis=-1, keepdims=True).astype(float)
    return np.concatenate([255 - 255 * (pixels / light), 255 - light], -1).round(
    ).astype(np.uint8)  # fmt: skip


def ycck() -> bytes:
    """The scene as Adobe's YCCK: inverted inks, three of them as YCbCr.

    Pillow writes four components as they are, each inverted, and an Adobe marker with
    transform 0. Here the first three are YCbCr already and the marker is made 2.
    """
    cmyk = inks(scene())
    coded = np.asarray(Image.fromarray(cmyk[..., :3]).convert("YCbCr"))
    components = np.concatenate([255 - coded, cmyk[..., 3:]], axis=-1)
    content = bytearray(encode(Image.fromarray(components, "CMYK"), "JPEG"))
    transform = content.index(b"Adobe") + 11
    assert content[transform] == 0
    content[transform] = 2
    return bytes(content)


def _jpegs() -> dict[str, Readable]:
    grey, blurred = _grey(scene()), encode(scene(), "JPEG", subsampling=2)
    second = Image.fromarray(scene()[::-1])
    plain = encode(scene(), "JPEG")
    contents = {
        "plain": plain,
        "progressive": encode(scene(), "JPEG", progressive=True),
        "cmyk": encode(Image.fromarray(inks(scene()), "CMYK"), "JPEG"),
        "ycck": ycck(),
        "two_pictures": encode(scene(), "MPO", quality=95, subsampling=0,
                               save_all=True, append_images=[second]),
        "film_behind_it": plain + b"ftypmp42\xff\xda" + bytes(range(200)),
        "thumbnail": _with_thumbnail(),
        "corrupt_exif": encode(scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff"),
        "no_exif": encode(scene(), "JPEG", exif=b"Exif\0\0no TIFF here"),
        **{f"orientation_{i}": oriented(i) for i in range(10)},  # 0 and 9: as stored
    }  # fmt: skip
    return {
        **{f"{n}.jpg": Readable(c, scene(), LOSSY) for n, c in contents.items()},
        "grey.jpg": Readable(encode(grey, "JPEG"), _three(grey), LOSSY),
        "subsampled.jpg": Readable(blurred, scene(), LOSSY, edge=2),
    }


def _lossless() -> dict[str, Readable]:
    """Exact cases, and a JPEG by another name."""
    pixels, grey = scene(), _grey(scene())
    # Within 128 of 257 times a level is that level, rounded; cut off it would not be.
    near = np.random.default_rng(0).integers(-128, 129, grey.shape)
    grey16 = np.clip(grey.astype(int) * 257 + near, 0, 65535).astype(np.uint16)
    bgr16 = pixels[..., ::-1].astype(np.uint16) * 257
    mirrored = [Image.fromarray(pixels[:, ::-1])]
    animation = {"save_all": True, "append_images": mirrored, "duration": 100}
    black_and_white = Image.fromarray((grey > 128).astype(np.uint8) * 255)
    one_bit = encode(black_and_white.convert("1"), "PNG")
    contents = {
        "plain.png": encode(pixels, "PNG"),
        "palette.png": encode(_palette(pixels), "PNG"),
        "colour16.png": cv2.imencode(".png", bgr16)[1].tobytes(),
        "profile.png": encode(pixels, "PNG", icc_profile=swapped_profile()),
        "orientation_6.png": oriented(6, "PNG"),
        "orientation_5.webp": oriented(5, "WEBP", lossless=True),
        "animated.webp": encode(pixels, "WEBP", lossless=True, **animation),
        "animated.gif": encode(pixels, "GIF", **animation),
        "plain.bmp": encode(pixels, "BMP"),
        "palette.bmp": encode(_palette(pixels), "BMP"),
        "compressed.tif": encode(pixels, "TIFF", compression="tiff_lzw"),
        "orientation_8.tif": oriented(8, "TIFF"),
        "orientation_7_compressed.tif": oriented(7, "TIFF", compression="tiff_lzw"),
        "png_called.jpg": encode(pixels, "PNG"),
        "gif_called.png": encode(pixels, "GIF"),
    }
    return {
        **{name: Readable(content, pixels) for name, content in contents.items()},
        "jpeg_called.png": Readable(encode(pixels, "JPEG"), pixels, LOSSY),
        "grey.png": Readable(encode(grey, "PNG"), _three(grey)),
        "grey16.png": Readable(encode(grey16, "PNG"), _three(grey)),
        "grey16.tif": Readable(encode(grey16, "TIFF"), _three(grey)),
        "one_bit.png": Readable(one_bit, _three(np.asarray(black_and_white))),
    }


def _transparent() -> dict[str, Readable]:
    """Whatever lies under the transparent background, the page's white is seen."""
    pixels, grey = scene(), _grey(scene())
    inside = np.zeros(grey.shape, bool)
    inside[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    alpha = np.where(inside, 255, 0).astype(np.uint8)
    on_white = np.where(inside[..., None], pixels, 255).astype(np.uint8)
    grey_on_white = _three(np.where(inside, grey, 255).astype(np.uint8))
    keyed = np.where(inside[..., None], pixels, BLUE).astype(np.uint8)
    grey16 = np.where(inside, grey.astype(np.uint16) * 257, 1000).astype(np.uint16)
    half = np.where(inside, 255, 51).astype(np.uint8)  # a fifth of the background
    fifth = 0.2 * pixels + 0.8 * 255
    glass = np.where(inside[..., None], pixels, fifth.round()).astype(np.uint8)
    palette = _palette(keyed)
    key = palette.getpixel((0, 0))
    rgba = np.dstack([pixels, alpha])
    return {
        "rgba.png": Readable(encode(rgba, "PNG"), on_white),
        "glass.png": Readable(encode(np.dstack([pixels, half]), "PNG"), glass, 1),
        "grey_alpha.png": Readable(
            encode(Image.fromarray(np.dstack([grey, alpha]), "LA"), "PNG"),
            grey_on_white,
        ),
        "keyed.png": Readable(encode(keyed, "PNG", transparency=BLUE), on_white),
        "keyed_palette.png": Readable(
            encode(palette, "PNG", transparency=key), on_white
        ),
        "keyed_grey16.png": Readable(
            encode(grey16, "PNG", transparency=1000), grey_on_white
        ),
        "keyed.gif": Readable(encode(palette, "GIF", transparency=key), on_white),
        "rgba.webp": Readable(encode(rgba, "WEBP", lossless=True), on_white),
    }


def _sizes() -> dict[str, Readable]:
    """One pixel, and a strip of 20,000 x 20."""
    pixel = np.full([1, 1, 3], YELLOW, np.uint8)
    strip, box = np.full([20, 20_000, 3], BLUE, np.uint8), (5008, 8, 9008, 16)
    strip[box[1] : box[3], box[0] : box[2]] = YELLOW
    whole = (0, 0, 1, 1)
    return {
        "pixel.png": Readable(encode(pixel, "PNG"), pixel, box=whole),
        "pixel.jpg": Readable(encode(pixel, "JPEG"), pixel, LOSSY, box=whole),
        "strip.png": Readable(encode(strip, "PNG"), strip, box=box),
        "strip.jpg": Readable(encode(strip, "JPEG"), strip, LOSSY, box=box),
    }


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


def _palette(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE)


def _flip_bit(content: bytes, position: int) -> bytes:
    return b"".join(
        [content[:position], bytes([content[position] ^ 1]), content[position + 1 :]]
    )


def _with_thumbnail() -> bytes:
    """A JPEG whose EXIF holds a whole JPEG, end of image and all."""
    thumbnail = encode(scene()[::4, ::4], "JPEG")
    return encode(scene(), "JPEG", exif=Image.Exif().tobytes() + thumbnail)
