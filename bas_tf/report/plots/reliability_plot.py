"""Probability against accuracy, or confidence against IoU, as inline SVG."""

import numpy as np
from matplotlib.axes import Axes

from bas_tf.metrics.calibration import Reliability
from bas_tf.report.plots.curves import GREY, draw_svg

_ACCURACY_COLOR, _PROBABILITY_COLOR = "#2f81e0", "#e8830c"


def reliability_svg(
    reliability: Reliability,
    *,
    outcome: str = "accuracy",
    forecast: str = "probability of the predicted class",
) -> str:
    """Bars of each bin's outcome, a dash at its mean forecast, its images above.

    Where a bar ends below its dash the scores promise too much. Bins without images
    have neither.
    """
    filled = reliability.counts > 0
    low, high = reliability.edges[:-1][filled], reliability.edges[1:][filled]
    accuracies = reliability.accuracies[filled]
    probabilities = reliability.mean_probabilities[filled]

    def draw(axes: Axes) -> None:
        axes.bar(
            low, accuracies, high - low, align="edge", color=_ACCURACY_COLOR,
            alpha=0.55, label=outcome,
        )  # fmt: skip
        axes.hlines(
            probabilities, low, high, color=_PROBABILITY_COLOR, linewidth=2,
            label=f"mean {forecast.split()[0]}",
        )  # fmt: skip
        axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
        tops = np.maximum(accuracies, probabilities)
        for x, y, count in zip(
            (low + high) / 2, tops, reliability.counts[filled], strict=True
        ):
            axes.text(x, y + 0.02, str(count), ha="center", fontsize=8)
        axes.set(xlabel=forecast, xlim=(0, 1), ylim=(0, 1.1))
        axes.legend(loc="upper left")

    return draw_svg(draw, f"reliability-{outcome}")
