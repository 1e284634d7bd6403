"""The PyTorch side: the twins of the tests, timed as the reference.

The reference copies its head for the background branch and leaves the copy's weights
differentiable: their gradients are computed, and used by nobody. The twins switch them
off, which changes no number; here they stay on. For 1,000 classes the reference copies
into modules that stay instead of fresh ones each time; both are timed as fresh ones.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.method_speed import cases
from tests.golden import torch_method, torch_twins

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class DifferentiableHead(nn.Sequential):
    """A head whose copies keep computing gradients of their weights."""

    def requires_grad_(self, requires_grad: bool = True):
        return self


def make_reference(backbone: str, classes: int) -> torch_method.Twin:
    """A twin with fresh weights and the reference's background branch."""

    class Reference(torch_twins.TWINS[backbone]):
        def head(self):
            return DifferentiableHead(*super().head())

    torch.manual_seed(0)
    return Reference(classes)


def build(
    *, phase: str, backbone: str, classes: int, size: int, threads: int
) -> dict[str, Callable[[], None]]:
    """As `ours.build`."""
    torch.set_num_threads(threads)
    config = cases.load_config(backbone, classes, size)
    reference = make_reference(backbone, classes)
    reference.frg_weight, reference.area_weight = config.loss.alpha, config.loss.beta
    if phase == "train":
        batch = tensors(*cases.noise(config.data.batch_size, classes, size))
        return {"train": training(config.optimizer, reference, *batch)}
    return {
        task: network(
            reference, *tensors(*cases.noise(cases.BATCHES[task], classes, size))
        )
        for task in cases.PHASES[phase]
    }


def tensors(images: np.ndarray, labels: np.ndarray):
    """Standardised float32 [batch, 3, h, w], and int64 [batch]."""
    scaled = (images - np.float32(MEAN)) / np.float32(STD)
    scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    return torch.from_numpy(scaled), torch.from_numpy(labels.astype(np.int64))


def training(options, reference, images, labels) -> Callable[[], None]:
    """zero_grad, forward with the background branch, losses, backward, update."""
    reference.train()
    sgd = torch.optim.SGD(
        torch_method.rate_groups(reference, options.base_rate),
        momentum=options.momentum, nesterov=True, weight_decay=options.l2,
    )  # fmt: skip
    for parameter in reference.parameters():  # made now, as TensorFlow's are
        momentum = torch.full_like(parameter, 0.0, requires_grad=False)
        sgd.state[parameter]["momentum_buffer"] = momentum

    def train() -> None:
        sgd.zero_grad()
        loss = reference.losses(reference(images, labels), labels)["total"]
        loss.backward()
        sgd.step()
        if not loss.isfinite():
            raise RuntimeError(f"the loss is {loss.item()}")

    return train


def network(reference, images, labels) -> Callable[[], None]:
    """The forward pass with the background branch."""
    reference.eval()

    def infer() -> None:
        with torch.no_grad():
            reference(images, labels)

    return infer
