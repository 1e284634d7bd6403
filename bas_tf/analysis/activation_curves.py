"""Figure 1 of the paper in numbers: curves over the mask's area, and where they end."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from bas_tf.errors import UserError

# Curves by name, and whether each goes up from its value under the empty mask.
RISES = {"cross_entropy": False, "activation": True, "background_activation": False}
SATURATION = 0.95
_FLAT = 1e-5  # of the curve's largest magnitude: rounding, not a range


@dataclasses.dataclass(frozen=True)
class Responses:
    """A classifier's answers under masks of n areas, for each image.

    Attributes:
      shares: [n] float64, mask area / object area, strictly increasing from 0, the
        empty mask; the last is the whole image.
      cross_entropy: [images, n], CE of the masked features' scores S.
      activation: [images, n], S_y under the mask.
      background_activation: [images, n], S_y under the mask's complement.
      is_known: bool [images], whether the whole image gets the right class.
    """

    shares: np.ndarray
    cross_entropy: np.ndarray
    activation: np.ndarray
    background_activation: np.ndarray
    is_known: np.ndarray


def curve_progress(curves: np.ndarray, *, rises: bool) -> np.ndarray:
    """How much of its range each curve has gone through.

    With c(0) the value under the empty mask: (c(s) - c(0)) / (max c - c(0)) for a
    curve that rises, (c(0) - c(s)) / (c(0) - min c) for one that falls.

    Args:
      curves: [images, n]; the first column belongs to the empty mask.

    Returns:
      [images, n]: 0 in the first column, at most 1, which is reached; negative where
      the curve went the other way. A row of NaN for a curve that never leaves its
      first value in its direction.
    """
    gone = curves - curves[:, :1] if rises else curves[:, :1] - curves
    furthest = gone.max(axis=1, keepdims=True)
    is_flat = furthest <= _FLAT * np.abs(curves).max(axis=1, keepdims=True)
    return np.where(is_flat, np.nan, gone / np.where(is_flat, 1.0, furthest))


def saturation_share(shares: np.ndarray, progress: np.ndarray) -> float | None:
    """The smallest of [n] shares at which a curve has gone through 95 % of its range.

    `progress` is [n], 0 first; linear between the shares. None for a curve that never
    gets above its start.
    """
    level = SATURATION * progress.max()
    if level <= 0:
        return None
    after = int(np.argmax(progress >= level))  # at least 1, since progress[0] is 0
    between = [after - 1, after]
    return float(np.interp(level, progress[between], shares[between]))


def summarize(responses: Responses) -> dict:
    """Means and spreads over images of the curves, and the shares where they saturate.

    The raw curves are those of every image. The normalized curves and the saturation
    shares leave out images whose class the network does not know, unless no others
    remain, and images with a flat curve.

    Returns:
      Plain lists and numbers, as JSON takes them: "num_kept", "num_unknown",
      "num_flat" (an image may be both), "shares", for each curve of RISES its
      `spread` and, under "normalized", that of its progress, and "saturation":
      {"<curve>_95": share on the mean normalized curve, "per_image": {"<curve>_95":
      `spread` of the images' own shares}}.

    Raises:
      UserError: every image has a flat curve.
    """
    curves = {name: getattr(responses, name) for name in RISES}
    progress = {
        name: curve_progress(curve, rises=RISES[name]) for name, curve in curves.items()
    }
    is_flat = np.any([np.isnan(rows[:, 0]) for rows in progress.values()], axis=0)
    is_kept = _choose(responses.is_known, is_flat)
    kept = {name: rows[is_kept] for name, rows in progress.items()}
    return {
        "num_kept": int(is_kept.sum()),
        "num_unknown": int((~responses.is_known).sum()),
        "num_flat": int(is_flat.sum()),
        "shares": responses.shares.tolist(),
        **{
            name: {**spread(curves[name]), "normalized": spread(kept[name])}
            for name in RISES
        },
        "saturation": _saturation(responses.shares, kept),
    }


def spread(values: np.ndarray) -> dict[str, list | float]:
    """Mean, standard deviation and quartiles over the first axis, as lists."""
    quartiles = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    return {
        "mean": values.mean(axis=0).tolist(),
        "std": values.std(axis=0).tolist(),
        "quartile_1": quartiles[0].tolist(),
        "median": quartiles[1].tolist(),
        "quartile_3": quartiles[2].tolist(),
    }


def _choose(is_known: np.ndarray, is_flat: np.ndarray) -> np.ndarray:
    """bool [images], the images that count for the normalized curves."""
    if is_flat.all():
        raise UserError(
            f"the scores of none of {len(is_flat)} images follow the masked area: "
            "the classifier has not learnt or its class maps are dead; train it longer"
        )
    is_kept = is_known & ~is_flat
    return is_kept if is_kept.any() else ~is_flat


def _saturation(shares: np.ndarray, progress: Mapping[str, np.ndarray]) -> dict:
    of_mean, per_image = {}, {}
    for name, rows in progress.items():
        key = f"{name}_{round(100 * SATURATION)}"
        of_mean[key] = saturation_share(shares, rows.mean(axis=0))
        # One image's curve does reach 1, so its share is never None.
        own = np.array([saturation_share(shares, row) for row in rows])
        per_image[key] = spread(own)
    return {**of_mean, "per_image": per_image}
