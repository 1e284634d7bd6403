"""Drawn curves of an SVG."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np


def parsed(svg: str) -> ElementTree.Element:
    """Inside HTML an SVG declares no namespace."""
    return ElementTree.fromstring(svg.replace("xlink:href", "href"))


def clipped_paths(svg: str) -> list[tuple[str, np.ndarray]]:
    """(style, [points, 2]) of every path that is clipped to the axes."""
    return [
        (
            element.attrib["style"],
            np.array(
                re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", element.attrib["d"]), float
            ),
        )
        for element in parsed(svg).iter("path")
        if "clip-path" in element.attrib
    ]
