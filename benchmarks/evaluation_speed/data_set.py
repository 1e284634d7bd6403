"""The photos that both sides evaluate: noisy drawings as a folder source."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bas_tf.data.annotations.csv_boxes import COLUMNS
from bas_tf.data.drawings.source import draw_example
from bas_tf.geometry.boxes import box_from_mask

PHOTO, RESIZE, CROP = (500, 375), (256, 256), 224
THRESHOLD = 0.5  # of maps of fresh weights
WEIGHTS, SPLIT, SEED = "weights.pth", "val", 0
NOISE = 4.0  # grey levels: JPEG files as large as those of photos


def class_name(label: int) -> str:
    """Names in the order of the ids."""
    return f"{label:05d}"


def file_photos(
    root: Path, count: int, predict: Callable[[np.ndarray], int]
) -> list[Path]:
    """Writes JPEG files to root/val/<class that `predict` gives>, and their boxes.

    Their paths come in the order of the source's records.
    """
    rng, lines, paths = np.random.default_rng(SEED), [",".join(COLUMNS)], []
    for i in range(count):
        drawn = draw_example(seed=SEED, split="train", index=i, image_size=PHOTO)
        noisy = drawn.image + rng.normal(0, NOISE, drawn.image.shape)
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
        jpeg = io.BytesIO()
        Image.fromarray(pixels).save(jpeg, "JPEG", quality=90)
        label = predict(np.asarray(Image.open(jpeg)))
        path = root / SPLIT / class_name(label) / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg.getvalue())
        paths.append(path)
        box = ",".join(f"{edge:g}" for edge in box_from_mask(drawn.mask))
        lines.append(f"{path.relative_to(root)},{box}")
    (root / "boxes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sorted(paths)


def true_box(root: Path, path: Path) -> list[float]:
    """The box of a filed photo, in pixels of the centre crop."""
    lines = (root / "boxes.csv").read_text(encoding="utf-8").splitlines()
    boxes = dict(line.split(",", 1) for line in lines)
    edges = map(float, boxes[str(path.relative_to(root))].split(","))
    scaled = [
        edge * RESIZE[i % 2] / PHOTO[i % 2] - (RESIZE[i % 2] - CROP) / 2
        for i, edge in enumerate(edges)
    ]
    return [min(max(edge, 0.0), CROP) for edge in scaled]
