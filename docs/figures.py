"""Draws the handbook's figures from the built-in drawings: no photo, no training.

  python -m docs.figures          (make docs)

docs/synthetic_panels.jpg, docs/activation_curves.png and docs/edge_front.png are not
among them: they show trained networks.
"""

from collections.abc import Callable
from pathlib import Path

from bas_tf import entry_point, files

FOLDER = Path(__file__).parent


def figures() -> dict[str, Callable[[], bytes]]:
    """{file's name: draws its content}."""
    from docs import drawings, loss_pulls, map_to_box, method_diagram

    return {
        "drawing.jpg": drawings.drawing_jpg,
        "drawn_classes.jpg": drawings.classes_jpg,
        "method_diagram.png": method_diagram.diagram_png,
        "loss_pulls.png": loss_pulls.pulls_png,
        "map_to_box.png": map_to_box.boxes_png,
    }


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    for name, draw in figures().items():
        files.write_file(FOLDER / name, draw())
        print(FOLDER / name)


if __name__ == "__main__":
    entry_point.run(main)
