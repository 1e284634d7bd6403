"""How alike two cells of a grid are: 1 minus the strongest edge on the way (IRN).

Pairs lie closer than a radius. Each is listed once, by its offset (dy, dx) from the
upper cell, or from the left one of a row.
"""

import functools

import numpy as np

Cell = tuple[int, int]  # dy, dx


def offsets(radius: int) -> list[Cell]:
    """Offsets shorter than the radius: 34 of them for 5, 152 for 10."""
    reach = radius - 1
    return [
        (dy, dx)
        for dy in range(radius)
        for dx in range(-reach if dy else 1, radius)
        if dy**2 + dx**2 < radius**2
    ]


@functools.cache
def path(offset: Cell) -> list[Cell]:
    """Cells closer than 1 to the line from (0, 0) to an offset, both included."""
    dy, dx = offset
    return [
        (y, x)
        for y in range(dy + 1)
        for x in range(min(dx, 0), max(dx, 0) + 1)
        if (dy * x - dx * y) ** 2 < dy**2 + dx**2
    ]


def shifted(grid, cell: Cell, size: tuple[int, int], radius: int):
    """The cells that lie at (dy, dx) from each source cell.

    Args:
      grid: array or tensor [..., height, width].
      cell: (dy, dx), not farther than radius - 1.
      size: rows and columns of the sources, which start at row 0 and column
        radius - 1.

    Returns:
      [..., *size].
    """
    (dy, dx), (rows, columns) = cell, size
    left = radius - 1 + dx
    return grid[..., dy : dy + rows, left : left + columns]


def affinities(edge: np.ndarray, radius: int) -> np.ndarray:
    """Affinity of each cell to the one at each offset.

    Args:
      edge: float [h, w] in [0, 1].
      radius: of the pairs.

    Returns:
      [offsets, h, w] in [0, 1]; 0 where the other cell lies outside.
    """
    reach = radius - 1
    padded = np.pad(edge, [(0, reach), (reach, reach)], constant_values=1)

    def strongest(offset: Cell) -> np.ndarray:
        way = [shifted(padded, cell, edge.shape, radius) for cell in path(offset)]
        return functools.reduce(np.maximum, way)

    return np.stack([1 - strongest(offset) for offset in offsets(radius)])
