"""Where each term of the loss pulls the map: real losses, an assumed classifier.

The maps are a drawing's true mask, eroded and dilated. The classifier is one that we
write down: its evidence for the true class lies on the body, denser at one part of it,
and blurred as a receptive field blurs; it sees nothing for the other classes. Its head
is linear, so that hiding a place takes away just that place's evidence.
"""

import dataclasses

import cv2
import numpy as np
import tensorflow as tf
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bas_tf import losses, names
from bas_tf.analysis import mask_areas
from bas_tf.analysis.masked_features import average_masks
from bas_tf.data.drawings.source import Example
from bas_tf.ops import masking
from bas_tf.report.plots.chart_style import GREY, INK, STYLE, png_of
from docs import drawings

INDEX, GRID, CLASSES, SCORE = 1, 36, 8, 12.0
BLUR = 0.03  # of the side: how far evidence is seen
ALPHA, BETAS = 0.5, (0.5, 1.5, 8.0)
SHOWN_SHARES = (0.25, 0.6, 1.0, 2.0)
_TERMS = {
    names.CLASSIFICATION_LOSS: (r"$L_{cls}$", GREY),
    names.FOREGROUND_REGION_GUIDANCE_LOSS: (r"$L_{frg}$", "#e8830c"),
    names.AREA_CONSTRAINT_LOSS: (r"$L_{ac}$", "#2ca25f"),
    names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: (r"$L_{bas}$", "#d6455d"),
}
_BETA_COLORS = ("#2f81e0", "#a45ad6", "#22262a")
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4)


@dataclasses.dataclass(frozen=True)
class Pulls:
    """The terms over the map's area.

    Attributes:
      shares: [n] area of the map over the object's, from 0 on.
      object_share: the object's area over the image's.
      terms: {loss name: [n]}, of the paper's form (`background_wins` "zero").
    """

    shares: np.ndarray
    object_share: float
    terms: dict[str, np.ndarray]

    def weighted(self, beta: float) -> np.ndarray:
        """L at each share: [n]."""
        return np.asarray(losses.weighted_sum(self.terms, alpha=ALPHA, beta=beta))

    def best_share(self, beta: float) -> float:
        """Where L is least among maps that are not empty."""
        return float(self.shares[1:][self.weighted(beta)[1:].argmin()])


def evidence(drawn: Example) -> np.ndarray:
    """The assumed class map of the true class: [h, w] float32, its mean is SCORE."""
    body = (drawn.mask > 0).astype(np.float32)
    height, width = body.shape
    row, column = np.argwhere(body > 0).mean(axis=0)
    rows, columns = np.ogrid[:height, :width]
    reach = 0.35 * np.sqrt(body.sum() / np.pi)
    apart = np.hypot(rows - row - reach, columns - column + reach)
    density = body * (1 + 3 * np.exp(-((apart / reach) ** 2)))
    blurred = cv2.GaussianBlur(density, (0, 0), BLUR * height)
    return blurred * SCORE / blurred.mean()


def pulls(drawn: Example) -> Pulls:
    """The four terms for maps from nothing to the whole image."""
    is_object = drawn.mask > 0
    shares = np.concatenate(
        [[0], np.geomspace(0.02, is_object.size / is_object.sum(), 120)]
    )
    masks = mask_areas.masks_of_areas(is_object, shares)
    maps = tf.constant(average_masks(masks, (GRID, GRID)))  # [n, h, w, 1]
    seen = cv2.resize(evidence(drawn), (GRID, GRID), interpolation=cv2.INTER_AREA)
    class_maps = np.zeros([1, GRID, GRID, CLASSES], np.float32)
    class_maps[0, ..., drawn.label] = seen
    labels = np.full(len(shares), drawn.label)
    whole = masking.global_average_pool(class_maps + tf.zeros_like(maps))
    foreground = masking.global_average_pool(class_maps * maps)
    background = masking.global_average_pool(class_maps * masking.background_map(maps))
    terms = {
        names.CLASSIFICATION_LOSS: losses.classification_loss(whole, labels),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: losses.foreground_region_guidance_loss(
            foreground, labels
        ),
        names.AREA_CONSTRAINT_LOSS: losses.area_constraint_loss(maps),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: (
            losses.background_activation_suppression_loss(
                masking.select_score(whole, labels),
                masking.select_score(background, labels),
            )
        ),
    }
    terms = {name: term.numpy() for name, term in terms.items()}
    return Pulls(shares, float(is_object.mean()), terms)


def pulls_png() -> bytes:
    """Pictures of maps above, the terms and their weighted sums below."""
    drawn = drawings.example(INDEX)
    found = pulls(drawn)
    with rc_context(STYLE):
        figure = Figure(figsize=(11.0, 6.6), layout="constrained", facecolor="white")
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.7))
        _draw_maps(above, drawn)
        left, right = below.subplots(1, 2)
        _draw_terms(left, found)
        _draw_sums(right, found)
    return png_of(figure, dots_per_inch=90)


def _draw_maps(figure, drawn: Example) -> None:
    masks = mask_areas.masks_of_areas(drawn.mask > 0, SHOWN_SHARES)
    heat = evidence(drawn)
    panels = figure.subplots(1, 2 + len(SHOWN_SHARES))
    drawings.show(panels[0], drawn.image, "the drawing")
    panels[1].imshow(heat, cmap="inferno")
    panels[1].set_title("assumed evidence", fontsize=10)
    panels[1].set_axis_off()
    for axes, share, mask in zip(panels[2:], SHOWN_SHARES, masks, strict=True):
        hidden = np.where(mask[..., np.newaxis], 0, drawn.image)
        drawings.show(axes, hidden, f"hidden: {share:g} x object")


def _draw_terms(axes: Axes, found: Pulls) -> None:
    for name, (label, color) in _TERMS.items():
        axes.plot(
            found.shares[1:], found.terms[name][1:], color=color, lw=2, label=label
        )
    axes.set_title("the four terms", fontsize=11)
    _draw_frame(axes, found)


def _draw_sums(axes: Axes, found: Pulls) -> None:
    for beta, color in zip(BETAS, _BETA_COLORS, strict=True):
        total, best = found.weighted(beta), found.best_share(beta)
        label = rf"$\beta$ = {beta:g}: least at {best:.2f}"
        axes.plot(found.shares[1:], total[1:], color=color, lw=2, label=label)
        axes.plot([best], [total[1:].min()], "o", color=color, ms=8, mec="white")
    axes.set_title(r"$L_{cls} + 0.5\,L_{frg} + \beta\,L_{ac} + L_{bas}$", fontsize=11)
    _draw_frame(axes, found)


def _draw_frame(axes: Axes, found: Pulls) -> None:
    axes.set_xscale("log")
    ticks = [tick for tick in _TICKS if tick <= found.shares[-1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color=INK, lw=1, ls="--")
    axes.set(xlabel="area of the map / area of the object", ylim=(-0.05, 2.6))
    axes.legend(fontsize=10, loc="lower left")
