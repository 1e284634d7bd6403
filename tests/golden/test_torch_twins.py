"""The PyTorch twins have the published networks' names and rates; MobileNetV1's equals
the published network in float64, to rounding.

The method, its losses and the optimizer are the same code for all four twins. What the
others' networks compute is compared in tests/export/test_equals_torch.py with ours,
which tests/golden/test_parity.py compares with the recorded numbers.
Every comparison has the size of the recorded tensor as its scale. The measured
deviations are about 1e-14 forward, 1e-12 for gradients, 1e-10 after a step.
"""

import contextlib
import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.golden import torch_method, torch_twins, weights  # noqa: E402


@pytest.fixture(scope="module", params=weights.CUB)
def loaded(request, shared_dir):
    """A float64 twin with the rebuilt weights, the recorded numbers, the input."""
    model = weights.CUB[request.param]
    entries = weights.state_dict(shared_dir, model)
    twin = torch_twins.TWINS[request.param]().double()
    twin.load_state_dict(
        {name: torch.from_numpy(entry) for name, entry in entries.items()}
    )
    recorded = weights.golden(shared_dir, model)
    images = torch.from_numpy(weights.images(shared_dir)).double()
    return twin, recorded, images, torch.from_numpy(recorded["labels"])


@contextlib.contextmanager
def recorded_activations(twin):
    """Yields a dict that forward passes inside fill: {recorded name: output}.

    The second call of a layer is the background branch's; its copy of the head keeps
    the hooks.
    """
    activations = {}

    def hook_of(name):
        def hook(module, inputs, output):
            key = f"{name}#erase" if name in activations else name
            activations[key] = output.detach().numpy()

        return hook

    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
    handles = [
        module.register_forward_hook(hook_of(name))
        for name, module in twin.named_modules()
        if isinstance(module, kinds)
    ]
    yield activations
    for handle in handles:
        handle.remove()


def assert_forward_equals(recorded, group, outputs, *, keys):
    for key in keys:
        ours, truth = outputs[key].detach().numpy(), recorded[f"{group}/{key}"]
        scale = np.abs(truth).max()
        np.testing.assert_allclose(ours, truth, atol=1e-9 * scale, rtol=0, err_msg=key)


def assert_statistics_equal(recorded, group, arrays, rtol):
    weights.assert_close(weights.deviations(recorded, group, arrays), rtol)


SCORES = ("score_1", "score_2", "x_saliency", "x_sum", "x_erase_sum")
TERMS = ("ce1", "ce2", "ratio", "area", "bas", "total")
PER_SAMPLE = ("ratio_per_sample", "area_per_sample", "masked")


def assert_pass_equals(recorded, group, outputs, losses, activations):
    """All recorded scores, maps, terms and activations of one forward pass."""
    assert_forward_equals(recorded, group, outputs, keys=SCORES)
    assert_forward_equals(recorded, group, losses, keys=TERMS + PER_SAMPLE)
    labels = recorded["labels"]
    class_maps = outputs["feature_map"].detach().numpy()
    of_label = recorded[f"{group}/feature_map_label"]
    np.testing.assert_allclose(
        class_maps[np.arange(4), labels], of_label, atol=1e-9 * of_label.max(), rtol=0
    )
    norm = np.sqrt((class_maps**2).sum())
    np.testing.assert_allclose(norm, recorded[f"{group}/feature_map_norm"], rtol=1e-9)
    zeros = recorded[f"{group}/feature_map_zero_fraction"]
    assert (class_maps == 0).mean() == zeros
    features = {"@feature_x4": outputs["features"].detach().numpy()}
    assert_statistics_equal(recorded, f"{group}/act", activations | features, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("loaded", ["mobilenet_v1"], indirect=True)
def test_eval_forward(loaded):
    """By the moving statistics: torch's BatchNorm, which the networks share."""
    twin, recorded, images, labels = loaded
    twin.eval()
    with torch.no_grad(), recorded_activations(twin) as activations:
        outputs = twin(images, labels)
    losses = twin.losses(outputs, labels)
    assert_pass_equals(recorded, "f64/eval", outputs, losses, activations)


@pytest.mark.slow
@pytest.mark.parametrize("loaded", ["mobilenet_v1"], indirect=True)
def test_eval_forward_with_the_mean_of_the_best_maps(loaded):
    """Which the networks share."""
    twin, recorded, images, labels = loaded
    twin.eval()
    count = int(recorded["f64/eval_topk/N"])
    assert count > 1
    with torch.no_grad():
        outputs = twin(images, labels, count)
    keys = ("x_saliency", "score_2", "x_erase_sum")
    assert_forward_equals(recorded, "f64/eval_topk", outputs, keys=keys)


@pytest.mark.slow
@pytest.mark.parametrize("loaded", ["mobilenet_v1"], indirect=True)
def test_train_forward_gradients_and_one_step(loaded):
    twin, recorded, images, labels = loaded
    twin, images = copy.deepcopy(twin).train(), images.clone().requires_grad_()
    with recorded_activations(twin) as activations:
        outputs = twin(images, labels)
    for key in ("feature_map", "x_saliency", "x_erase_sum", "score_1"):
        outputs[key].retain_grad()
    losses = twin.losses(outputs, labels)
    assert_pass_equals(recorded, "f64/train", outputs, losses, activations)

    losses["total"].backward()
    gradients = {name: p.grad.numpy() for name, p in twin.named_parameters()}
    assert_statistics_equal(recorded, "f64/train/grad", gradients, 1e-7)
    at = {"@input": images, "@feature_map": outputs["feature_map"]}
    at = {name: tensor.grad.numpy() for name, tensor in at.items()}
    assert_statistics_equal(recorded, "f64/train/grad_misc", at, 1e-7)
    for key in ("x_saliency", "x_erase_sum", "score_1"):
        ours, truth = outputs[key].grad.numpy(), recorded[f"f64/train/grad_{key}"]
        np.testing.assert_allclose(ours, truth, atol=1e-7 * np.abs(truth).max(), rtol=0)

    before = {name: p.detach().clone() for name, p in twin.named_parameters()}
    torch.optim.SGD(
        torch_method.rate_groups(twin, 1e-3),
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
    ).step()
    moved = {n: (p.detach() - before[n]).numpy() for n, p in twin.named_parameters()}
    assert_statistics_equal(recorded, "f64/step1/delta", moved, 1e-6)
    buffers = {name: b.numpy() for name, b in twin.named_buffers()}
    assert_statistics_equal(recorded, "f64/step1/bn", buffers, 1e-7)


@pytest.mark.slow
def test_rate_groups_are_the_recorded_ones(loaded):
    twin, recorded, _, _ = loaded
    rates = {
        id(parameter): group["lr"]
        for group in torch_method.rate_groups(twin, 1e-3)
        for parameter in group["params"]
    }
    ours = {name: rates[id(p)] for name, p in twin.named_parameters()}
    truth = dict(zip(recorded["param_names"], recorded["param_lr"], strict=True))
    assert ours == pytest.approx(truth, rel=1e-12)
