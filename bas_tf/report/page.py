"""report.html: one self-contained page about a run."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from bas_tf import files, visualize
from bas_tf.report import table
from bas_tf.report.cases import Case

# What "right" means in each protocol; see method and metrics.
_CORRECT_WHEN = {"bas": "IoU > 0.5", "maxboxacc": "IoU ≥ 0.5"}


def write_report(
    path: str | Path,
    *,
    title: str,
    rows: Sequence[Mapping],
    metrics: Mapping,
    panels: Sequence[Case],
    best: Sequence[Case],
    worst: Sequence[Case],
    curves: Mapping[str, str],
    config_text: str,
    versions: Mapping[str, str],
    seed: int,
    notes: Sequence[str] = (),
) -> None:
    """Writes the page, whole or not at all; it needs no network and no script.

    Args:
      path: the HTML file.
      title: heading of the page.
      rows: rows of the results table, see `table.format_table`.
      metrics: the content of metrics.json; its protocol, split, number of images,
        threshold and the threshold's origin are said above the results.
      panels: cases spread over the classes.
      best: cases of the highest IoU, best first.
      worst: cases of the lowest IoU, worst first.
      curves: inline SVG by caption, from `report.curves`; the only input that is
        not escaped.
      config_text: the config as text.
      versions: package versions by name.
      seed: the run's seed.
      notes: paragraphs above the results.

    Raises:
      UserError: the path cannot be written.
    """
    html = _template().render(
        title=title,
        facts=protocol_facts(metrics, seed=seed),
        notes=notes,
        columns=list(table.COLUMNS.values()),
        rows=[table.row_cells(row) for row in rows],
        panels=panels,
        best=best,
        worst=worst,
        panel_titles=visualize.PANEL_TITLES,
        curves={caption: Markup(svg) for caption, svg in curves.items()},
        methods=list(table.METHODS.values()),
        metric_rows=table.metric_rows(metrics["metrics"], metrics["intervals_95"]),
        config_text=config_text,
        versions=versions,
    )
    files.write_file(path, html.encode())


def protocol_facts(metrics: Mapping, *, seed: int) -> dict[str, str]:
    """How the figures were made, by name: what every printed number must say.

    Args:
      metrics: the content of metrics.json.
      seed: the run's seed.
    """
    protocol = metrics["protocol"]
    threshold = f"{metrics['score_threshold']:g} ({metrics['threshold_origin']})"
    facts = {
        "Protocol": protocol,
        "A box is right when": _CORRECT_WHEN.get(protocol, ""),
        "Score threshold": threshold,
        "Split": f"{metrics['split']}, {metrics['num_images']} images",
        "Seed": str(seed),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    return environment.get_template("report.html.j2")


def _data_uri(picture: np.ndarray) -> str:
    content = base64.b64encode(visualize.encode_image(picture, ".jpg")).decode()
    return f"data:image/jpeg;base64,{content}"
