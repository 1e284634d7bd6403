"""What a synthetic scene looks like: the scenery, and the creature of a class."""

import dataclasses

import cv2
import numpy as np

from bas_tf.data.drawings import drawing
from bas_tf.data.drawings.body import Body
from bas_tf.data.drawings.drawing import ellipse, star

_HUES = tuple(drawing.HUES.values())
_TEXTURES = tuple(drawing.TEXTURES)
_SHARE_WITH_EMBLEM = 0.75
_CREAM = np.array([250, 243, 222], np.uint8)
_DARK = np.array([38, 28, 34], np.uint8)


@dataclasses.dataclass(frozen=True)
class Species:
    """The looks of one class."""

    name: str
    texture: str  # a key of `TEXTURES`
    light: str  # a key of `HUES`, as `deep`
    deep: str
    emblem_hue: float  # degrees
    emblem: np.ndarray  # float64 [n, 2], the sign's polygon within the unit disc


# Each texture, light hue and deep hue occurs in two classes or three, so that no pixel
# tells; each pair of hues occurs once, so that any patch with both colours does. The
# pairs amber with azure and crimson with green never occur.
SPECIES = (
    Species("fire_stripe", "stripes", "amber", "crimson", 0, star(3, 0.50)),
    Species("lagoon_stripe", "stripes", "azure", "green", 44, star(4, 0.71)),
    Species("leaf_spot", "spots", "amber", "green", 88, star(5, 0.42)),
    Species("coral_spot", "spots", "azure", "crimson", 132, star(4, 0.35)),
    Species("pansy_check", "checks", "amber", "violet", 180, ellipse((0.85, 0.85))),
    Species("berry_check", "checks", "violet", "crimson", 224, ellipse((1, 0.45), 0.8)),
    Species("night_chevron", "chevrons", "azure", "violet", 268, star(6, 0.55)),
    Species("orchid_chevron", "chevrons", "violet", "green", 312, star(2, 0.38)),
)
_STRANGE_PAIRS = (
    ("amber", "azure"), ("azure", "amber"), ("crimson", "green"), ("green", "crimson"),
)  # fmt: skip


def draw_scenery(rng: np.random.Generator, image_size: tuple[int, int]) -> np.ndarray:
    """RGB uint8 [height, width, 3] in the creatures' colours that knows no class.

    `rng` decides everything and has not seen a label.
    """
    image = _draw_ground(rng, image_size)
    frame, unit = drawing.frame_size(image_size), drawing.unit_in_pixels(image_size)
    for _ in range(rng.integers(6, 11)):
        _draw_blade(image, rng, unit, frame)
    for _ in range(rng.integers(4, 8)):
        _draw_pebble(image, rng, unit, frame)
    for _ in range(rng.integers(0, 3)):
        _draw_patch(image, rng, unit, frame)
    return image


def _any_hue(rng: np.random.Generator) -> float:
    return _HUES[rng.integers(len(_HUES))] + rng.uniform(-16, 16)


def _draw_ground(rng: np.random.Generator, image_size: tuple[int, int]) -> np.ndarray:
    """Soft clouds of muted colour under a faint texture and grain."""
    hues = [_any_hue(rng) for _ in range(3)]
    light = rng.uniform(0.45, 0.75)
    cells = [
        drawing.colour_from_hsv(
            hues[rng.integers(len(hues))],
            rng.uniform(0.10, 0.38),
            light + rng.uniform(-0.15, 0.15),
        )
        for _ in range(20)
    ]
    clouds = np.reshape(cells, (4, 5, 3))
    clouds = cv2.resize(clouds, image_size, interpolation=cv2.INTER_CUBIC)
    unit = drawing.unit_in_pixels(image_size)
    texture = drawing.texture_coverage(
        _TEXTURES[rng.integers(len(_TEXTURES))],
        clouds.shape[:2],
        origin=rng.uniform(0, unit, 2),
        angle=rng.uniform(0, 2 * np.pi),
        period=unit * rng.uniform(0.07, 0.16),
    )
    grain = rng.normal(0, 9, (72, 72)).astype(np.float32)
    tone = cv2.resize(grain, image_size)
    tone += np.float32(rng.uniform(8, 22)) * (texture - np.float32(0.5))
    return np.clip(clouds + tone[..., None], 0, 255).astype(np.uint8)


def _draw_blade(
    image: np.ndarray, rng: np.random.Generator, unit: float, frame: np.ndarray
) -> None:
    """One thin plain leaf with a midrib."""
    shape = drawing.blade(rng, rng.uniform(0.2, 0.6), rng.uniform(0.025, 0.07))
    shape = shape @ drawing.rotation(rng.uniform(0, 2 * np.pi)) + rng.random(2) * frame
    colour = drawing.colour_from_hsv(
        _any_hue(rng), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.8)
    )
    drawing.fill_polygon(image, shape, unit, colour)
    midrib = (shape[:12] + shape[:11:-1]) / 2
    drawing.draw_line(image, midrib, unit, colour // 4 * 3, width=0.005)


def _draw_pebble(
    image: np.ndarray, rng: np.random.Generator, unit: float, frame: np.ndarray
) -> None:
    """One small plain dot, or an emblem's sign without its badge, of any colour."""
    shape = ellipse((1.0, rng.uniform(0.6, 1.0)))
    if rng.random() < 0.4:
        shape = SPECIES[rng.integers(len(SPECIES))].emblem
    shape = shape @ drawing.rotation(rng.uniform(0, 2 * np.pi))
    shape = shape * rng.uniform(0.015, 0.04) + rng.random(2) * frame
    colour = drawing.colour_from_hsv(
        rng.uniform(0, 360), rng.uniform(0.05, 0.9), rng.uniform(0.5, 1.0)
    )
    drawing.fill_polygon(image, shape, unit, colour)
    drawing.draw_line(image, shape, unit, colour // 2, width=0.006, closed=True)


def _draw_patch(
    image: np.ndarray, rng: np.random.Generator, unit: float, frame: np.ndarray
) -> None:
    """One small textured patch in two colours that no species combines."""
    centre = rng.random(2) * frame
    outline = ellipse(rng.uniform(0.04, 0.07, 2), rng.uniform(0, np.pi))
    view, corner = drawing.window(image, outline + centre, unit)
    figure = drawing.texture_coverage(
        _TEXTURES[rng.integers(len(_TEXTURES))],
        view.shape[:2],
        origin=(centre - corner) * unit,
        angle=rng.uniform(0, 2 * np.pi),
        period=unit * rng.uniform(0.065, 0.09),
    )
    pair = _STRANGE_PAIRS[rng.integers(len(_STRANGE_PAIRS))]
    colours = drawing.sample_colours(rng, *pair)
    skin = drawing.blend(*colours, figure)
    covered = np.zeros(view.shape[:2], np.uint8)
    drawing.fill_polygon(covered, outline + centre - corner, unit, 255)
    view[:] = drawing.blend(view, skin, covered / np.float32(255))


def draw_creature(
    image: np.ndarray,
    rng: np.random.Generator,
    species: Species,
    body: Body,
    covered: np.ndarray,
) -> None:
    """Paints a creature into the image, RGB uint8 [height, width, 3], in place.

    `rng` decides colours, phase and scale of the texture, presence of the emblem.
    `covered` is of `body.coverage`; pixels with 0 stay as they are.
    """
    unit = drawing.unit_in_pixels((image.shape[1], image.shape[0]))
    view, corner = drawing.window(image, body.outline, unit)
    covered, _ = drawing.window(covered, body.outline, unit)
    body = dataclasses.replace(
        body,
        outline=body.outline - corner,
        centre=body.centre - corner,
        emblem=body.emblem - corner,
    )
    skin = _draw_skin(view.shape[:2], rng, species, body, unit)
    reach = 2 * int(0.2 * body.radius * unit) + 1
    relief = cv2.blur(covered, (reach, reach)) / np.float32(255)  # about 1/2 at the rim
    skin = (skin * (0.55 + 0.45 * relief[..., None])).astype(np.uint8)
    drawing.draw_line(skin, body.outline, unit, _DARK, width=0.014, closed=True)
    trunk = ellipse((0.55 * body.radius, 0.09 * body.radius), body.axis)
    drawing.fill_polygon(skin, trunk + body.centre, unit, _DARK)
    if rng.random() < _SHARE_WITH_EMBLEM:
        _draw_emblem(skin, rng, species, body, unit)
    view[:] = drawing.blend(view, skin, covered / np.float32(255))


def _draw_skin(
    shape: tuple[int, int],
    rng: np.random.Generator,
    species: Species,
    body: Body,
    unit: float,
) -> np.ndarray:
    """The texture of a species, float32 [height, width, 3], turned with the body."""
    period = max(body.radius * rng.uniform(0.5, 0.7), 0.09)
    figure = drawing.texture_coverage(
        species.texture,
        shape,
        origin=(body.centre + rng.uniform(-1, 1, 2) * period) * unit,
        angle=body.axis + rng.uniform(-0.5, 0.5),
        period=unit * period,
    )
    colours = drawing.sample_colours(rng, species.light, species.deep)
    return drawing.blend(*colours, figure)


def _draw_emblem(
    skin: np.ndarray,
    rng: np.random.Generator,
    species: Species,
    body: Body,
    unit: float,
) -> None:
    """A badge: cream rim, the species' own colour, and its sign in cream."""
    radius = max(0.28 * body.radius, 0.06)
    disc = ellipse((radius, radius))
    hue = species.emblem_hue + rng.uniform(-8, 8)
    colour = drawing.colour_from_hsv(hue, rng.uniform(0.85, 1), rng.uniform(0.8, 1))
    sign = 0.5 * radius * species.emblem @ drawing.rotation(body.axis)
    drawing.fill_polygon(skin, 1.12 * disc + body.emblem, unit, _DARK)
    drawing.fill_polygon(skin, disc + body.emblem, unit, _CREAM)
    drawing.fill_polygon(skin, 0.78 * disc + body.emblem, unit, colour)
    drawing.fill_polygon(skin, sign + body.emblem, unit, _CREAM)
