"""The reference's evaluation as a loop over photos, written from the protocol.

A photo is read twice: once for its ten crops, whose softmax is averaged, and once for
the centre crop, whose map gives the box. Either pass runs the whole network with its
background branch and every class's map, as the published models do in evaluation.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.evaluation_speed import data_set
from benchmarks.method_speed import cases, torch_reference
from tests.golden import torch_method

THRESHOLD, SIZE, CROP = data_set.THRESHOLD, data_set.RESIZE, data_set.CROP


def build(
    *, backbone: str, classes: int, folder: str, photos: int, threads: int
) -> dict[str, Callable[[], list]]:
    """{"evaluate": the loop}; leaves weights and photos in the folder.

    A photo is filed under the class that the network predicts, so that the label's map
    and the predicted class's are one.
    """
    torch.set_num_threads(threads)
    reference = torch_reference.make_reference(backbone, classes)
    enliven(reference)
    torch.save(reference.state_dict(), Path(folder) / data_set.WEIGHTS)
    predict = functools.partial(predicted_class, reference)
    paths = data_set.file_photos(Path(folder), photos, predict)
    return {"evaluate": lambda: evaluate(reference, paths, Path(folder))}


def enliven(reference: torch_method.Twin) -> None:
    """Weights and moving statistics that let a photo through to maps and scores.

    PyTorch's fresh ones fade from layer to layer, and all maps come out constant.
    """
    for module in reference.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
    images = standardised(list(cases.noise(4, 1, CROP)[0]))
    with torch.no_grad():
        reference.train()(images, torch.zeros(len(images), dtype=torch.int64))
    reference.eval()


def predicted_class(reference: torch_method.Twin, image: np.ndarray) -> int:
    """Of the centre crop of an RGB image."""
    crops = standardised([ten_crops(resized(Image.fromarray(image)))[4]])
    with torch.no_grad():
        scores = reference(crops, torch.zeros(1, dtype=torch.int64))["score_1"]
    return int(scores.argmax())


def evaluate(reference, paths: list[Path], folder: Path) -> list[tuple[bool, bool]]:
    """Of every photo: located, and its class among the best five; keeps the boxes."""
    boxes, right = [], []
    for path in paths:
        label = int(path.parent.name)
        truth = data_set.true_box(folder, path)
        with torch.no_grad():
            crops = standardised(ten_crops(resized(Image.open(path))))
            outputs = reference(crops, torch.full([10], label))
            scores = outputs["score_1"].softmax(1).mean(0)
            crop = standardised([ten_crops(resized(Image.open(path)))[4]])
            outputs = reference(crop, torch.tensor([label]))
        boxes.append(box_of(outputs["x_saliency"][0, 0].numpy()))
        top5 = scores.topk(5).indices.tolist()
        right.append((iou_plus_one(boxes[-1], truth) > 0.5, label in top5))
    np.save(folder / "torch_loop.npy", np.array(boxes, np.float32))
    return right


def resized(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))


def ten_crops(image: np.ndarray) -> list[np.ndarray]:
    """Four corners and the centre, then their mirror images."""
    far, middle = SIZE[0] - CROP, (SIZE[0] - CROP) // 2
    corners = [(0, 0), (0, far), (far, 0), (far, far), (middle, middle)]
    five = [image[y : y + CROP, x : x + CROP] for y, x in corners]
    return [*five, *(crop[:, ::-1] for crop in five)]


def standardised(crops: list[np.ndarray]) -> torch.Tensor:
    return torch_reference.tensors(np.stack(crops), np.zeros(len(crops)))[0]


def box_of(saliency: np.ndarray) -> tuple[int, int, int, int]:
    low, high = saliency.min(), saliency.max()
    normalized = (saliency - low) / (high - low)
    large = cv2.resize(normalized, (CROP, CROP), interpolation=cv2.INTER_LINEAR)
    foreground = (large > THRESHOLD).astype(np.uint8)
    count, _, found, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
    if count == 1:
        return 0, 0, CROP, CROP
    largest = 1 + int(found[1:, cv2.CC_STAT_AREA].argmax())
    x, y, width, height = found[largest, :4]
    return x, y, x + width, y + height


def iou_plus_one(a, b) -> float:
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1)]
    both = max(0, sides[0]) * max(0, sides[1])
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return both / (sum(areas) - both)
