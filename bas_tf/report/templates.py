"""Jinja templates of the pages, and pictures as parts of a page."""

import base64
from pathlib import Path

import jinja2
import numpy as np

from bas_tf.report import pictures
from bas_tf.report.table import format_percent


def load_template(name: str) -> jinja2.Template:
    """A template of this folder, which escapes what it is given.

    Its filters: data_uri (RGB uint8 [height, width, 3]), png_uri (bytes), percent.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["png_uri"] = _png_uri
    environment.filters["percent"] = format_percent
    return environment.get_template(name)


def _data_uri(picture: np.ndarray) -> str:
    content = base64.b64encode(pictures.encode_image(picture, ".jpg")).decode()
    return f"data:image/jpeg;base64,{content}"


def _png_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
