"""Draws what an exported .tflite file finds in photos, and prints a line for each.

  python -m export.edge.photo MODEL.tflite PHOTO [PHOTO...] --output=DIR

or, on the device, next to edge_localizer.py:

  python photo.py MODEL.tflite PHOTO [PHOTO...] --output=DIR

A line has the photo, class, score, box (x0 y0 x1 y1 in pixels of the upright photo,
half-open) and the PNG written: the photo, dark where the network sees no object. The
first photo that cannot be read ends it with exit code 2; those before it are done.
"""

import argparse
import contextlib
import os
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

if __package__:
    from export.edge.edge_localizer import EdgeLocalizer, Localization
else:  # a copy on a device
    from edge_localizer import EdgeLocalizer, Localization

with contextlib.suppress(ImportError):  # an optional package reads HEIC
    import pillow_heif

    pillow_heif.register_heif_opener()

COLOR, INK = (0, 229, 255), (16, 20, 24)
NAME_BYTES = 255  # of a file
DARKEST = 0.35  # of the photo's brightness, where the map is lowest


def open_photo(path) -> Image.Image:
    """The upright photo, mode RGB, what is transparent on white.

    Raises:
      ValueError: missing or not readable; one line that names it.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith(("I", "F")):
                raise ValueError(f"{path}: has more than 8 bits a channel; convert it")
            if "A" in upright.getbands() or "transparency" in upright.info:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return upright.convert("RGB")
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: not a readable photo{_hint(path)}") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable photo ({error})") from error


def _hint(path) -> str:
    is_heic = Path(path).read_bytes()[4:11] in (b"ftyphei", b"ftyphev", b"ftypmif")
    return " (HEIC: `pip install pillow-heif` reads it)" if is_heic else ""


def overlay(photo: Image.Image, found: Localization) -> Image.Image:
    """The photo darkened outside the map, with box, class and score."""
    shares = _stretched(found.localization_map)
    levels = Image.fromarray(np.rint(255 * shares).astype(np.uint8))
    mask = levels.resize(photo.size, Image.BILINEAR)
    dark = photo.point(lambda value: value * DARKEST)
    drawn = Image.composite(photo, dark, mask)
    draw = ImageDraw.Draw(drawn)
    x0, y0, x1, y1 = map(round, found.box)
    width = max(1, round(0.16 * max(photo.size) ** 0.5))  # 6 at 1280 pixels
    corners = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))  # Pillow's end is inclusive
    draw.rectangle(corners, outline=COLOR, width=width)
    _draw_label(draw, photo.size, (x0, y0), f"{found.class_name} {found.score:.2f}")
    return drawn


def _stretched(score_map: np.ndarray) -> np.ndarray:
    """Min-max scaled to [0, 1], as the box rule sees it; a constant map is all 0."""
    low, high = score_map.min(), score_map.max()
    return (score_map - low) / (high - low if high > low else 1)


def _draw_label(draw, size_wh: tuple[int, int], corner_xy, text: str) -> None:
    """Dark text on the box's colour, above the box or else inside its top."""
    text = _ascii(text)
    font = _font(max(11, round(max(size_wh) / 26)))
    _, _, width, height = draw.textbbox((0, 0), text, font=font)
    width, height = width + 4, height + 4
    if width > size_wh[0] or 2 * height > size_wh[1]:
        return  # a picture too small to read on
    x = min(max(corner_xy[0], 0), size_wh[0] - width)
    y = max(corner_xy[1] - height, 0)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=COLOR)
    draw.text((x + 2, y + 2), text, font=font, fill=INK)


def _ascii(text: str) -> str:
    """Letters without accents, "?" for others: Pillow's own font has ASCII alone."""
    parts = unicodedata.normalize("NFKD", text)
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain.encode("ascii", "replace").decode()


def _font(size: int):
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has one size
        return ImageFont.load_default()


def localize_photos(model, paths: list[str], output: Path, *, threads: int) -> None:
    """Prints a line and writes an overlay for each photo.

    Raises:
      ValueError: the model or a photo cannot be read, or nothing can be written.
    """
    taken = set()
    targets = [output / _free_name(Path(path).stem, taken) for path in paths]
    for target in filter(Path.exists, targets):
        if any(Path(p).exists() and target.samefile(p) for p in [model, *paths]):
            raise ValueError(f"{target}: is an input; name another --output")
    localizer = EdgeLocalizer(model, threads)
    for path, target in zip(paths, targets, strict=True):
        photo = open_photo(path)
        found = localizer.localize(photo)
        try:
            output.mkdir(parents=True, exist_ok=True)
            overlay(photo, found).save(target)
        except OSError as error:
            raise ValueError(f"{target}: cannot be written ({error})") from error
        box = " ".join(f"{value:.1f}" for value in found.box)
        whole = " (whole frame: no object found)" if found.degenerate else ""
        print(f"{path}: {found.class_name} {found.score:.3f} [{box}]{whole} {target}")


def _free_name(stem: str, taken: set[str]) -> str:
    """STEM_found.png, _found_2 for a second one; a long STEM is cut to fit a name."""
    name, count = "", 0
    while not name or name.lower() in taken:
        count += 1
        ending = "_found.png" if count == 1 else f"_found_{count}.png"
        while len(os.fsencode(stem + ending)) > NAME_BYTES:
            stem = stem[:-1]
        name = stem + ending
    taken.add(name.lower())
    return name


def main() -> None:
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS,  # an error is then one line
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a .tflite file")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="of any size")
    parser.add_argument("--output", required=True, help="the folder for the PNGs")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    args = parser.parse_args()
    try:
        localize_photos(
            args.model,
            args.photos,
            Path(args.output).expanduser(),
            threads=args.threads,
        )
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
