"""What every chart looks like, and how it becomes a file."""

import io

from matplotlib.figure import Figure

INK, GREY = "#22262a", "#6b7177"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def png_of(figure: Figure, *, dots_per_inch: int | str = "figure") -> bytes:
    """A figure as a PNG file, at its own resolution; equal figures give equal bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return file.getvalue()
