"""Jinja templates of the pages, and pictures as parts of a page."""

import base64
from pathlib import Path

import jinja2

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
    environment.filters["data_uri"] = lambda picture: _data_uri(
        "jpeg", pictures.encode_image(picture, ".jpg")
    )
    environment.filters["png_uri"] = lambda png: _data_uri("png", png)
    environment.filters["percent"] = format_percent
    return environment.get_template(name)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
