"""Labels that follow colours: a dense CRF (Kraehenbuehl and Koltun, NIPS 2011).

Mean field, whose messages are filtered on a permutohedral lattice (Adams, Baek and
Davis, Eurographics 2010).
"""

import functools

import numpy as np

_ITERATIONS = 10
_CERTAINTY = 0.7  # of the given labels
_SMOOTHNESS, _PLACE_SPREAD = 3, 3  # weight and pixels
_APPEARANCE, _WIDE_SPREAD, _COLOUR_SPREAD = 10, 50, 5


def mean_field(
    photo: np.ndarray, label_maps: np.ndarray, num_labels: int
) -> np.ndarray:
    """How likely each label is at each pixel, for several maps of one photo at once.

    Args:
      photo: uint8 [height, width, 3].
      label_maps: int [maps, height, width], below `num_labels`.
      num_labels: with background, at least 2.

    Returns:
      float32 [maps, height, width, num_labels].
    """
    count, height, width = label_maps.shape
    given = label_maps.reshape(count, -1, 1) == np.arange(num_labels)
    other = (1 - _CERTAINTY) / (num_labels - 1)
    logits = np.log(np.where(given, _CERTAINTY, other)).astype(np.float32)
    places = _places(height, width)
    colours = photo.reshape(-1, 3) / _COLOUR_SPREAD
    smoothness = _smoothness(height, width)
    appearance = GaussianFilter(np.hstack([places / _WIDE_SPREAD, colours]))

    def messages(beliefs: np.ndarray) -> np.ndarray:
        return _SMOOTHNESS * smoothness(beliefs) + _APPEARANCE * appearance(beliefs)

    beliefs = _softmax(logits)
    for _ in range(_ITERATIONS):
        received = np.stack([messages(each) for each in beliefs])
        beliefs = _softmax(logits + received)
    return beliefs.reshape(count, height, width, num_labels)


def _places(height: int, width: int) -> np.ndarray:
    """x, y of each pixel: [pixels, 2]."""
    return np.stack(np.indices([height, width])[::-1], axis=-1).reshape(-1, 2)


@functools.lru_cache(maxsize=1)  # photos of a size often come one after another
def _smoothness(height: int, width: int) -> "GaussianFilter":
    return GaussianFilter(_places(height, width) / _PLACE_SPREAD)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class GaussianFilter:
    """Values of points weighted by exp(-|f_i - f_j|^2 / 2), symmetrically normalised.

    An approximation: each point shares its value among the d + 1 corners of the simplex
    it lies in, the corners of all simplices are blurred along d + 1 axes.

    Args:
      features: float [points, d].
    """

    def __init__(self, features: np.ndarray):
        dims = features.shape[1]
        base, ranks, self._shares = _simplices(features)
        # A corner's first d coordinates as one number, with room for its neighbours.
        room = 2 * (dims + 1)
        spans = np.ptp(base, axis=0)[:dims] + 2 * room + 1
        radices = np.cumprod([1, *spans[:-1]])
        lowest = base.min(axis=0) - room
        codes = [
            (base - lowest + k - (dims + 1) * (ranks > dims - k))[:, :dims] @ radices
            for k in range(dims + 1)
        ]
        corners, ids = np.unique(np.stack(codes, axis=1), return_inverse=True)
        self._ids, self._count = ids.reshape(self._shares.shape), len(corners)
        steps = radices.sum() - (dims + 1) * np.append(radices, 0)
        self._neighbours = [
            (_find(corners, corners + step), _find(corners, corners - step))
            for step in steps
        ]
        self._scale = np.float32(1)
        self._scale = self(np.ones([len(features), 1], np.float32)) ** -0.5

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """float32 [points, channels] -> the same."""
        corners = np.zeros([self._count + 1, values.shape[1]], np.float32)
        for channel, of_points in enumerate((self._scale * values).T):
            shared = self._shares * of_points[:, np.newaxis]
            corners[:-1, channel] = np.bincount(
                self._ids.ravel(), shared.ravel(), self._count
            )
        for before, after in self._neighbours:  # the last corner stands for none
            around = corners.take(before, axis=0) + corners.take(after, axis=0)
            corners[:-1] += around / 2
        dims = len(self._neighbours) - 1
        found = np.einsum("nk,nkc->nc", self._shares, corners.take(self._ids, axis=0))
        return self._scale * found / (1 + np.float32(0.5) ** dims)


def _simplices(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each point's simplex: base corner, ranks of coordinates, barycentric shares."""
    dims = features.shape[1]
    size, axes = dims + 1, np.arange(1, dims + 1)
    scale = size * np.sqrt(2 / 3 / (axes * (axes + 1)))
    basis = np.triu(np.ones([size, dims])) - np.diag(axes, -1)[:, :dims]
    lifted = (features * scale) @ basis.T  # on the plane where coordinates add up to 0
    base = np.rint(lifted / size).astype(np.int64)
    order = np.argsort(base * size - lifted, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1) + base.sum(axis=1, keepdims=True)
    wrapped = (ranks < 0).astype(np.int64) - (ranks > dims)
    base, ranks = (base + wrapped) * size, ranks + wrapped * size
    rest = np.take_along_axis((lifted - base) / size, np.argsort(-ranks, axis=1), 1)
    shares = np.diff(rest, axis=1, prepend=rest[:, -1:] - 1)
    return base, ranks, shares.astype(np.float32)


def _find(sorted_codes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Positions of codes; the length where there is none."""
    positions = np.searchsorted(sorted_codes, codes)
    found = sorted_codes[np.minimum(positions, len(sorted_codes) - 1)] == codes
    return np.where(found, positions, len(sorted_codes))
