"""Binary maps on which simple component labelling goes wrong or goes slowly, and a
second implementation to compare with."""

import numpy as np
import scipy.ndimage


def scipy_box(foreground: np.ndarray) -> list[int] | None:
    """Box of the largest component by SciPy, which numbers them in raster order."""
    if not foreground.any():
        return None
    labels, _ = scipy.ndimage.label(foreground, np.ones([3, 3]))
    winner = 1 + np.argmax(np.bincount(labels.ravel())[1:])
    rows, columns = scipy.ndimage.find_objects(labels)[winner - 1]
    return [columns.start, rows.start, columns.stop, rows.stop]


def spiral(size: int) -> np.ndarray:
    """One path of width 1, coiled from the border to the middle with gaps of 1."""
    out = np.zeros([size + 4, size + 4], np.float32)  # two pixels of border
    out[[0, 1, -2, -1]] = out[:, [0, 1, -2, -1]] = -1.0
    y, x, dy, dx = 2, 2, 0, 1
    out[y, x] = 1.0
    turns = 0
    while turns < 2:
        ahead, beyond = out[y + dy, x + dx], out[y + 2 * dy, x + 2 * dx]
        if ahead == 0.0 and beyond != 1.0:
            y, x, turns = y + dy, x + dx, 0
            out[y, x] = 1.0
        else:
            dy, dx, turns = dx, -dy, turns + 1
    return np.maximum(out[2:-2, 2:-2], 0.0)


def comb(size: int) -> np.ndarray:
    """Teeth in every second column that meet in the last row alone."""
    out = np.zeros([size, size], np.float32)
    out[:, ::2] = out[-1] = 1.0
    return out


def snake(size: int) -> np.ndarray:
    """One path up and down every second column."""
    out = np.zeros([size, size], np.float32)
    out[:, ::2] = 1.0
    out[-1, 1::4] = out[0, 3::4] = 1.0
    return out


def dots(size: int) -> np.ndarray:
    """As many components as fit, all of one pixel: the first must win."""
    out = np.zeros([size, size], np.float32)
    out[1::2, 1::2] = 1.0
    return out


def checkerboard(size: int) -> np.ndarray:
    """Every other pixel: one component, by diagonals only."""
    return (np.indices([size, size]).sum(axis=0) % 2).astype(np.float32)


def hard_maps(size: int) -> dict[str, np.ndarray]:
    """All of them, turned, next to empty, full and one-pixel maps: float32, 0 or 1."""
    last_pixel, first_pixel = np.zeros([2, size, size], np.float32)
    last_pixel[-1, -1] = first_pixel[0, 0] = 1.0
    maps = {
        "checkerboard": checkerboard(size),
        "dots": dots(size),
        "empty": np.zeros([size, size], np.float32),
        "full": np.ones([size, size], np.float32),
        "last_pixel": last_pixel,
        "first_pixel": first_pixel,
        "nan": np.full([size, size], np.nan, np.float32),
    }
    for make in (spiral, comb, snake):
        for quarter in range(4):
            maps[f"{make.__name__}_{quarter}"] = np.rot90(make(size), quarter)
    return {name: np.ascontiguousarray(m) for name, m in maps.items()}
