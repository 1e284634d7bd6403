"""The paper's four networks in PyTorch, to compare ours with.

Names of modules are the published ones, so that a published CUB state dict loads
strictly.
"""

import torch
from torch import nn
from torch.nn import functional

from tests.golden.torch_inception import InceptionV3
from tests.golden.torch_method import Twin, classifier, generator


class Vgg16(Twin):
    """No BatchNorm; pool5 is gone and pool4 belongs to the head."""

    frg_weight, area_weight = 0.0, 0.7
    stages = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

    def __init__(self, num_classes: int = 200):
        super().__init__()
        channels = 3
        for i, widths in enumerate(self.stages, 1):
            for j, width in enumerate(widths, 1):
                conv = nn.Conv2d(channels, width, 3, padding=1)
                self.add_module(f"conv{i}_{j}", conv)
                channels = width
        self.classifier_cls = classifier(512, num_classes)
        self.classifier_loc = generator(512, num_classes)

    def _stage(self, i: int) -> nn.Sequential:
        layers = []
        for j in range(1, len(self.stages[i - 1]) + 1):
            layers += [getattr(self, f"conv{i}_{j}"), nn.ReLU()]
        return nn.Sequential(*layers)

    def trunk(self, images):
        x = self._stage(1)(images)
        for i in (2, 3, 4):
            x = self._stage(i)(functional.max_pool2d(x, 2))
        return x

    def head(self):
        return nn.Sequential(nn.MaxPool2d(2), self._stage(5), self.classifier_cls)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (which has the stride), 1 x 1 to four times the width, shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int):
        super().__init__()
        out_channels = 4 * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(
            y + (self.downsample(x) if hasattr(self, "downsample") else x)
        )


class ResNet50(Twin):
    """Stages 3 and 4 keep the resolution; a 2 x 2 max-pool before stage 4 halves it."""

    frg_weight, area_weight = 0.5, 1.2
    # Width, blocks, stride.
    stages = ((64, 3, 1), (128, 4, 2), (256, 6, 1), (512, 3, 1))

    def __init__(self, num_classes: int = 200):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for i, (width, count, stride) in enumerate(self.stages, 1):
            blocks = [Bottleneck(channels, width, stride)]
            blocks += [Bottleneck(4 * width, width, 1) for _ in range(count - 1)]
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
            channels = 4 * width
        self.classifier_cls = classifier(channels, num_classes)
        self.classifier_loc = generator(1024, num_classes)

    def trunk(self, images):
        x = torch.relu(self.bn1(self.conv1(images)))
        x = functional.max_pool2d(x, 3, 2, padding=1)
        return self.layer3(self.layer2(self.layer1(x)))

    def head(self):
        return nn.Sequential(nn.MaxPool2d(2), self.layer4, self.classifier_cls)


class MobileNetV1(Twin):
    """Block 6 keeps the resolution; the last two blocks belong to the head."""

    frg_weight, area_weight = 0.5, 1.5
    blocks = (
        *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 1)),
        *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
    )

    def __init__(self, num_classes: int = 200):
        super().__init__()
        layers = [nn.Sequential(*_conv_norm_relu(3, 32, 3, stride=2))]
        channels = 32
        for width, stride in self.blocks:
            depthwise = _conv_norm_relu(
                channels, channels, 3, stride=stride, groups=channels
            )
            layers.append(
                nn.Sequential(*depthwise, *_conv_norm_relu(channels, width, 1))
            )
            channels = width
        self.model = nn.Sequential(*layers)
        self.classifier_cls = classifier(channels, num_classes)
        self.classifier_loc = generator(512, num_classes)

    def trunk(self, images):
        return self.model[:12](images)

    def head(self):
        return nn.Sequential(*self.model[12:], self.classifier_cls)


def _conv_norm_relu(in_channels, out_channels, kernel, *, stride=1, groups=1):
    conv = nn.Conv2d(
        *(in_channels, out_channels, kernel, stride),
        padding=kernel // 2,
        groups=groups,
        bias=False,
    )
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]


TWINS = {
    "vgg16": Vgg16,
    "resnet50": ResNet50,
    "mobilenet_v1": MobileNetV1,
    "inception_v3": InceptionV3,
}
