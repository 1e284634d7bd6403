"""The paper's InceptionV3 in PyTorch, with the published names; blocks are tables."""

import torch
from torch import nn
from torch.nn import functional

from tests.golden.torch_method import Twin, classifier, generator


class ConvNorm(nn.Module):
    """Convolution without a bias, BatchNorm with the larger epsilon 1e-3, ReLU."""

    def __init__(self, in_channels, out_channels, kernel, stride=1, *, padded=True):
        super().__init__()
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = tuple(k // 2 for k in kernel) if padded else 0
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Chains of convolutions and a pool over one input, concatenated in that order.

    Args:
      in_channels: of the input.
      chains: each (prefix, step, step, ...), a step (width, kernel) or, for two
        convolutions side by side, (width, kernel, kernel).
      pool_width: the pool is an average (padding counts) and a 1 x 1 of that width;
        0: a maximum alone.
      stride: of the last step of each chain and of the pool.
    """

    def __init__(self, in_channels, *chains, pool_width=0, stride=1):
        super().__init__()
        self.stride, self.chains = stride, []
        for prefix, *steps in chains:
            channels, names = in_channels, []
            for i, (width, *kernels) in enumerate(steps, 1):
                number = f"_{i}" if len(steps) > 1 else ""
                letters = ("a", "b") if len(kernels) == 2 else ("",)
                names.append([f"{prefix}{number}{letter}" for letter in letters])
                for name, kernel in zip(names[-1], kernels, strict=True):
                    own_stride = stride if i == len(steps) else 1
                    conv = ConvNorm(channels, width, kernel, own_stride)
                    self.add_module(name, conv)
                channels = width * len(kernels)
            self.chains.append(names)
        if pool_width:
            self.branch_pool = ConvNorm(in_channels, pool_width, 1)

    def forward(self, x):
        outputs = []
        for chain in self.chains:
            y = x
            for names in chain:
                y = torch.cat([getattr(self, name)(y) for name in names], 1)
            outputs.append(y)
        if hasattr(self, "branch_pool"):
            outputs.append(self.branch_pool(functional.avg_pool2d(x, 3, 1, 1)))
        else:
            outputs.append(functional.max_pool2d(x, 3, self.stride, 1))
        return torch.cat(outputs, 1)


def _mixed_5(in_channels: int, pool_width: int) -> Mixed:
    return Mixed(
        in_channels,
        ("branch1x1", (64, 1)),
        ("branch5x5", (48, 1), (64, 5)),
        ("branch3x3dbl", (64, 1), (96, 3), (96, 3)),
        pool_width=pool_width,
    )


def _mixed_6(in_channels: int, width: int) -> Mixed:
    flat, tall = (1, 7), (7, 1)
    double = [(width, kernel) for kernel in (1, tall, flat, tall)]
    return Mixed(
        in_channels,
        ("branch1x1", (192, 1)),
        ("branch7x7", (width, 1), (width, flat), (192, tall)),
        ("branch7x7dbl", *double, (192, flat)),
        pool_width=192,
    )


def _mixed_7(in_channels: int) -> Mixed:
    pair = (384, (1, 3), (3, 1))
    return Mixed(
        in_channels,
        ("branch1x1", (320, 1)),
        ("branch3x3", (384, 1), pair),
        ("branch3x3dbl", (448, 1), (384, 3), pair),
        pool_width=192,
    )


class InceptionV3(Twin):
    """Conv2d_1a is padded, pools are padded and round up, Mixed_6a has stride 1."""

    frg_weight, area_weight = 0.5, 1.0

    def __init__(self, num_classes: int = 200):
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3, padded=False)
        self.Mixed_5b = _mixed_5(192, 32)
        self.Mixed_5c = _mixed_5(256, 64)
        self.Mixed_5d = _mixed_5(288, 64)
        double = ("branch3x3dbl", (64, 1), (96, 3), (96, 3))
        self.Mixed_6a = Mixed(288, ("branch3x3", (384, 3)), double)
        for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
            self.add_module(f"Mixed_6{letter}", _mixed_6(768, width))
        long = ("branch7x7x3", (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3))
        self.Mixed_7a = Mixed(768, ("branch3x3", (192, 1), (320, 3)), long, stride=2)
        self.Mixed_7b = _mixed_7(1280)
        self.Mixed_7c = _mixed_7(2048)
        self.classifier = classifier(2048, num_classes)
        self.classifier_loc = generator(768, num_classes)

    def trunk(self, images):
        x = self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images))
        x = functional.max_pool2d(self.Conv2d_2b_3x3(x), 3, 2, 1, ceil_mode=True)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x

    def head(self):
        tail = (self.Mixed_7a, self.Mixed_7b, self.Mixed_7c)
        return nn.Sequential(*tail, self.classifier)
