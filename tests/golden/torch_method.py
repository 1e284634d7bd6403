"""The method in PyTorch, without a network: a second implementation to compare with.

Written from the paper and from recorded facts about the published networks, in CUB's
flavour: the background pass runs on a fresh frozen copy of the head.
"""

import copy

import torch
from torch import nn
from torch.nn import functional


class Twin(nn.Module):
    """Shared by the four: the forward pass of the method, and its losses."""

    frg_weight: float  # alpha and beta on CUB
    area_weight: float

    def trunk(self, images: torch.Tensor) -> torch.Tensor:
        """f1: [batch, 3, h, w] -> F [batch, channels, h / 8, w / 8]."""
        raise NotImplementedError

    def head(self) -> nn.Sequential:
        """f2 as one module over this network's own layers: F -> A at stride 16."""
        raise NotImplementedError

    def forward(self, images: torch.Tensor, label: torch.Tensor, n: int = 1) -> dict:
        """One pass with the background branch.

        Args:
          images: [batch, 3, h, w], standardised.
          n: 1 for the label's foreground map, else the mean of the maps of the n
            classes of the highest scores.

        Returns:
          features [batch, channels, h / 8, w / 8]; feature_map (A, after its ReLU)
          [batch, classes, h / 16, w / 16]; score_1 (S), score_2 (the scores of the
          foreground) [batch, classes]; x_saliency (M) [batch, 1, h / 8, w / 8];
          x_sum (S_y, no gradient), x_erase_sum (S^b_y) [batch].
        """
        features = self.trunk(images)
        feature_map = self.head()(features)
        score_1 = feature_map.mean((2, 3))
        chosen = label[:, None] if n == 1 else score_1.topk(n, dim=1).indices
        maps = torch.sigmoid(self.classifier_loc(features))
        rows = torch.arange(len(label))
        saliency = maps[rows[:, None], chosen].mean(1, keepdim=True)
        # A copy, so that weights are constants and moving statistics stay as they are.
        constant_head = copy.deepcopy(self.head()).requires_grad_(False)
        background = constant_head(features.detach() * (1.0 - saliency))
        pooled_saliency = functional.avg_pool2d(saliency, 2)
        return {
            "features": features,
            "feature_map": feature_map,
            "score_1": score_1,
            "score_2": (feature_map * pooled_saliency).mean((2, 3)),
            "x_saliency": saliency,
            "x_sum": score_1[rows, label].detach(),
            "x_erase_sum": background.mean((2, 3))[rows, label],
        }

    def losses(self, outputs: dict, label: torch.Tensor) -> dict[str, torch.Tensor]:
        """ratio is L_bas, area L_ac, ce1 L_cls and ce2 L_frg."""
        activation, background = outputs["x_sum"], outputs["x_erase_sum"]
        masked = background >= activation
        ratio = torch.where(masked, 0.0, background / (activation + 1e-8))
        area = outputs["x_saliency"].mean((1, 2, 3))
        ce1 = functional.cross_entropy(outputs["score_1"], label)
        ce2 = functional.cross_entropy(outputs["score_2"], label)
        bas = ratio.mean() + self.area_weight * area.mean()
        return {
            "masked": masked,
            "ratio_per_sample": ratio,
            "area_per_sample": area,
            "ratio": ratio.mean(),
            "area": area.mean(),
            "ce1": ce1,
            "ce2": ce2,
            "bas": bas,
            "total": ce1 + self.frg_weight * ce2 + bas,
        }


def rate_groups(twin: nn.Module, rate: float) -> list[dict]:
    """Parameter groups of torch.optim.SGD: rate x 1, 2, 10, 20 by a parameter's name.

    Biases x 2 (BatchNorm's too), everything of the classifier and the foreground
    generator (`classifier_loc`) x 10.
    """
    groups = {}
    for name, parameter in twin.named_parameters():
        factor = 2 if name.endswith("bias") else 1
        factor *= 10 if "classifier" in name else 1
        groups.setdefault(factor, []).append(parameter)
    return [{"params": members, "lr": k * rate} for k, members in groups.items()]


def classifier(in_channels: int, num_classes: int) -> nn.Sequential:
    """The paper's head: two 3 x 3 layers of 1,024, then the class maps, all rectified.

    The final ReLU comes before the average, so scores are never negative.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, 1024, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(1024, 1024, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(1024, num_classes, 1),
        nn.ReLU(),
    )


def generator(in_channels: int, num_classes: int) -> nn.Sequential:
    """The foreground map generator before its sigmoid; a list of one, for the name."""
    return nn.Sequential(nn.Conv2d(in_channels, num_classes, 3, padding=1))
