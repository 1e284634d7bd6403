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
    labels = np.arange(num_labels)[:, np.newaxis]
    other = (1 - _CERTAINTY) / (num_labels - 1)
    places = _places(height, width)
    colours = photo.reshape(-1, 3) / _COLOUR_SPREAD
    smoothness = _smoothness(height, width)
    appearance = GaussianFilter(np.hstack([places / _WIDE_SPREAD, colours]))
    found = []
    for given in label_maps.reshape(count, 1, -1) == labels:
        logits = np.log(np.where(given, _CERTAINTY, other)).astype(np.float32)
        beliefs = _softmax(logits)
        for _ in range(_ITERATIONS):
            received = [
                _SMOOTHNESS * smoothness(each) + _APPEARANCE * appearance(each)
                for each in beliefs
            ]
            beliefs = _softmax(logits + received)
        found.append(beliefs.T.reshape(height, width, num_labels))
    return np.stack(found)


def _places(height: int, width: int) -> np.ndarray:
    """x, y of each pixel: [pixels, 2]."""
    return np.stack(np.indices([height, width])[::-1], axis=-1).reshape(-1, 2)


@functools.lru_cache(maxsize=1)  # photos of a size often come one after another
def _smoothness(height: int, width: int) -> "GaussianFilter":
    return GaussianFilter(_places(height, width) / _PLACE_SPREAD)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=0))
    return powers / powers.sum(axis=0)


class GaussianFilter:
    """Values of points weighted by exp(-|f_i - f_j|^2 / 2), symmetrically normalised.

    An approximation: each point shares its value among the d + 1 corners of the simplex
    it lies in, the corners of all simplices are blurred along d + 1 axes.

    Args:
      features: float [points, d].
    """

    def __init__(self, features: np.ndarray):
        dims = features.shape[1]
        base, ranks, shares = _simplices(features)
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
        self._ids, self._count = ids.reshape(shares.shape).T.copy(), len(corners)
        self._shares = shares.T.copy()
        steps = radices.sum() - (dims + 1) * np.append(radices, 0)
        self._neighbours = [
            (_find(corners, corners + step), _find(corners, corners - step))
            for step in steps
        ]
        self._scale = np.float32(1)
        self._scale = self(np.ones(len(features), np.float32)) ** -0.5

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """float32 [points] -> the same."""
        shared = self._shares * (self._scale * values)
        corners = np.bincount(self._ids.ravel(), shared.ravel(), self._count + 1)
        corners = corners.astype(np.float32)
        for before, after in self._neighbours:  # the last corner stands for none
            corners[:-1] += (corners.take(before) + corners.take(after)) / 2
        dims = len(self._neighbours) - 1
        found = (self._shares * corners.take(self._ids)).sum(axis=0)
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
