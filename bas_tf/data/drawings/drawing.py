"""Shapes, textures and colours from which the synthetic source draws its scenes.

Everything is given in the unit frame: the image is a rectangle of area one, a length
of one is sqrt(width * height) pixels, the origin is the image's top left corner. One
scene therefore looks the same at every image size of one aspect ratio.
"""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

_SUBPIXEL_BITS = 4
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)  # [24, 2]
_ALONG = np.linspace(-0.5, 0.5, 12)  # from the tip of a leaf to its other tip

HUES = {"amber": 45, "green": 122, "azure": 203, "violet": 275, "crimson": 350}  # °


def frame_size(image_size: tuple[int, int]) -> np.ndarray:
    """Width and height, in the unit frame, of an image of (width, height) pixels."""
    return np.asarray(image_size, np.float64) / unit_in_pixels(image_size)


def unit_in_pixels(image_size: tuple[int, int]) -> float:
    """Pixels per unit of length."""
    return float(np.sqrt(image_size[0] * image_size[1]))


def rotation(angle: float) -> np.ndarray:
    """The [2, 2] matrix that turns points [n, 2] by `angle`: `points @ matrix`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def to_fixed_point(points: np.ndarray, unit: float) -> np.ndarray:
    """Unit frame [n, 2] -> int32 pixel indices with `_SUBPIXEL_BITS` binary digits.

    Pixel i covers [i, i + 1), so its centre, which OpenCV calls i, lies at i + 0.5.
    """
    return np.rint((points * unit - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def window(
    canvas: np.ndarray, points: np.ndarray, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a canvas [height, width, ...] around points, to draw in cheaply.

    Of the points [n, 2] (unit frame), some lie inside the image.

    Returns:
      A view of the canvas with two pixels to spare around the points, and its top left
      corner float64 [2] in the unit frame: subtract it from what is drawn there.
    """
    low = np.maximum(np.floor(points.min(axis=0) * unit).astype(int) - 2, 0)
    high = np.ceil(points.max(axis=0) * unit).astype(int) + 2
    return canvas[low[1] : high[1], low[0] : high[0]], low / unit


def fill_polygon(
    canvas: np.ndarray, points: np.ndarray, unit: float, colour: float | np.ndarray
) -> None:
    """Fills the polygon `points` [n, 2] on a uint8 canvas in place, anti-aliased."""
    corners = to_fixed_point(points, unit)
    value = np.atleast_1d(colour).tolist()
    cv2.fillPoly(canvas, [corners], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_line(
    canvas: np.ndarray,
    points: np.ndarray,
    unit: float,
    colour: np.ndarray,
    *,
    width: float,
    closed: bool = False,
) -> None:
    """Draws a line of `width` (unit frame, at least one pixel) on a uint8 canvas."""
    corners = to_fixed_point(points, unit)
    thickness = max(1, round(width * unit))
    value = colour.tolist()
    cv2.polylines(
        canvas, [corners], closed, value, thickness, cv2.LINE_AA, _SUBPIXEL_BITS
    )


def ellipse(radii: tuple[float, float], angle: float = 0.0) -> np.ndarray:
    """A float64 [24, 2] polygon around the origin."""
    return _CIRCLE * radii @ rotation(angle)


def star(num_points: int, inner: float) -> np.ndarray:
    """A star [2 * num_points, 2] of outer radius 1 and inner radius `inner`."""
    turn = np.arange(2 * num_points) * np.pi / num_points - np.pi / 2
    radius = np.where(np.arange(2 * num_points) % 2, inner, 1.0)
    return radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def blade(rng: np.random.Generator, length: float, width: float) -> np.ndarray:
    """A bent leaf [24, 2]: there along one edge and back along the other."""
    bend = rng.uniform(-0.35, 0.35) * length * (0.25 - _ALONG**2)
    half = 0.5 * width * np.cos(np.pi * _ALONG) ** rng.uniform(0.6, 1.4)
    points = np.empty((24, 2))
    points[:12, 0] = points[:11:-1, 0] = length * _ALONG
    points[:12, 1] = bend - half
    points[:11:-1, 1] = bend + half
    return points


def colour_from_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB uint8 [3] from a hue in degrees, of any turn, and fractions in [0, 1]."""
    rgb = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
    return np.rint(np.multiply(255, rgb)).astype(np.uint8)


def sample_colours(rng: np.random.Generator, light: str, deep: str) -> np.ndarray:
    """Ground and figure colour, uint8 [2, 3], with strong jitter.

    Args:
      rng: decides the jitter, and which of the two colours is the ground.
      light, deep: keys of `HUES`; the two differ enough to keep a texture visible.
    """
    light_hue = HUES[light] + rng.uniform(-10, 10)
    deep_hue = HUES[deep] + rng.uniform(-10, 10)
    colours = [
        colour_from_hsv(light_hue, rng.uniform(0.45, 0.75), rng.uniform(0.88, 1.0)),
        colour_from_hsv(deep_hue, rng.uniform(0.75, 1.0), rng.uniform(0.45, 0.68)),
    ]
    return rng.permutation(np.stack(colours), axis=0)


# Each takes phases u, v in radians and is positive on the figure, with a slope of about
# one per radian at the figure's edge.
TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "stripes": lambda u, v: np.sin(u),
    "spots": lambda u, v: np.cos(u) + np.cos(v) - 0.6,
    "checks": lambda u, v: 1.6 * np.sin(0.75 * u) * np.sin(0.75 * v),
    "chevrons": lambda u, v: np.sin(u + 1.7 * np.arcsin(np.sin(0.5 * v))),
}


def texture_coverage(
    texture: str,
    shape: tuple[int, int],
    *,
    origin: tuple[float, float] | np.ndarray,
    angle: float,
    period: float,
) -> np.ndarray:
    """How much of each pixel the figure of a texture covers.

    Args:
      texture: a key of `TEXTURES`.
      shape: height and width of the result.
      origin: x and y, in its pixels, of the point where both phases are zero.
      angle: direction along which the first phase grows, radians.
      period: pixels per repetition.

    Returns:
      float32 [height, width] in [0, 1], anti-aliased.
    """
    frequency = 2 * np.pi / period
    c, s = frequency * np.cos(angle), frequency * np.sin(angle)
    x = np.arange(shape[1], dtype=np.float32) + np.float32(0.5 - origin[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5 - origin[1])
    c, s = np.float32(c), np.float32(s)
    phase = TEXTURES[texture](c * x + s * y, c * y - s * x)
    return np.clip(0.5 + phase * np.float32(1 / frequency), 0, 1)


def blend(ground: np.ndarray, figure: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """ground + coverage * (figure - ground), float32 [height, width, 3].

    Args:
      ground, figure: colours [3] or images [height, width, 3] in 0..255.
      coverage: float32 [height, width] in [0, 1].
    """
    ground = ground.astype(np.float32)
    return ground + coverage[..., None] * (figure.astype(np.float32) - ground)
