"""Which of the measured files is worth its latency and size."""

from collections.abc import Mapping, Sequence

import numpy as np

COSTS, ACCURACY = ("p50_ms", "size_bytes"), "predicted_map_iou"


def pareto_front(
    rows: Sequence[Mapping], *, costs: Sequence[str], accuracy: str
) -> list[Mapping]:
    """Rows that no other beats: in nothing worse and in something better.

    By ascending first cost; rows alike in all costs and the accuracy are all kept.
    """

    def losses(row):
        return (*(row[key] for key in costs), -row[accuracy])

    def is_beaten(row):
        mine = losses(row)
        return any(
            other != mine and all(o <= m for o, m in zip(other, mine, strict=True))
            for other in map(losses, rows)
        )

    return sorted((row for row in rows if not is_beaten(row)), key=losses)


def knee(rows: Sequence[Mapping]) -> Mapping:
    """The row to ship.

    Of the front of latency and mean IoU, the file farthest above the straight line
    between its ends, with the logarithm of the latency and the IoU scaled to [0, 1];
    where none is above, the most accurate; of equals the smallest.
    """
    front = pareto_front(rows, costs=COSTS[:1], accuracy=ACCURACY)
    latency = np.log([row["p50_ms"] for row in front])
    accuracy = np.array([row[ACCURACY] for row in front])
    heights = _scaled(accuracy) - _scaled(latency)  # above the ends' line, times sqrt 2
    return max(
        zip(heights, front, strict=True),
        key=lambda pair: (pair[0], pair[1][ACCURACY], -pair[1]["size_bytes"]),
    )[1]


def _scaled(values):
    """To [0, 1]; equal values to 0."""
    return (values - values.min()) / (values.max() - values.min() or 1)


def marked(rows: Sequence[Mapping]) -> list[dict]:
    """The rows with `on_front` and `is_knee`."""
    front, best = pareto_front(rows, costs=COSTS, accuracy=ACCURACY), knee(rows)
    return [{**row, "on_front": row in front, "is_knee": row is best} for row in rows]
