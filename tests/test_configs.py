"""Every config builds with every variant, and holds the paper's numbers."""

import importlib
from pathlib import Path

import pytest

from bas_tf.configs import find_config, read_config
from bas_tf.configs.common import base_config
from bas_tf.errors import UserError
from bas_tf.training import optimizer, train_step

FOLDER = Path(__file__).parent.parent / "configs"
SHARED = {"__init__", "common"}  # no experiments themselves
BACKBONES = ("vgg16", "mobilenet_v1", "resnet50", "inception_v3")
PAPER = [f"{data}_{b}" for data in ("cub", "ilsvrc") for b in BACKBONES]
LIKE_CUB = {  # source and classes
    "cars196": ("stanford_cars", 196),
    "stanford_dogs": ("stanford_dogs", 120),
    "fgvc_aircraft": ("fgvc_aircraft", 100),
}
VARIANTS = {
    "ablation": ("synthetic", "butterflies", "synthetic_quicktest"),
    "butterflies_efficientnet_lite0": ("",),
    "coco14_resnet50": ("",),
    "demo": ("", "quicktest"),
    "drawings_multilabel": ("", "quicktest"),
    "tinyvid_efficientnet_lite0": ("",),
    "voc12_resnet50": ("",),
    **dict.fromkeys([*PAPER, *LIKE_CUB], ("", "extension")),
}
EVERY = [(name, variant) for name in VARIANTS for variant in VARIANTS[name]]


def module(name: str):
    folder = "paper." if name in PAPER else ""
    return importlib.import_module(f"bas_tf.configs.{folder}{name}")


def build(name: str, variant: str):
    return module(name).get_config(variant)


def keys_of(config) -> dict[str, set]:
    return {group: set(config[group].keys()) for group in config}


def test_no_config_is_forgotten_here():
    found = {path.stem for path in FOLDER.rglob("*.py")} - SHARED
    assert found == set(VARIANTS)


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_a_config_changes_values_and_invents_no_key(name, variant):
    config = build(name, variant)
    keys = keys_of(config)
    if name == "ablation":
        assert keys.pop("ablation") == {"rows", "order", "top_k_row", "top_k"}
    assert keys == keys_of(base_config())
    assert train_step.Method(**config.loss).beta > 0  # every choice exists


@pytest.mark.parametrize(("name", "variant"), EVERY)
def test_a_config_says_its_command_cost_and_what_to_expect(name, variant):
    header, path = module(name).__doc__, find_config(name).relative_to(FOLDER.resolve())
    assert f"--config=configs/{path}" in header
    assert "Cost: " in header
    assert name == "ablation" or "Expected " in header
    assert variant == "" or f":{variant}" in header


@pytest.mark.parametrize("folder", ["", "configs/", "configs/paper/"])
def test_a_shipped_config_is_found_from_any_folder(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    found = read_config(f"{folder}cub_resnet50.py:extension", argument="--config")
    assert found.to_dict() == build("cub_resnet50", "extension").to_dict()


def test_a_folder_of_a_configs_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert find_config("demo") == FOLDER.resolve() / "demo.py"


def test_a_name_is_no_pattern():
    with pytest.raises(UserError, match="none of the shipped configs: ablation, "):
        read_config("cub_*", argument="--config")


@pytest.mark.parametrize("name", VARIANTS)
def test_an_unknown_variant_is_refused_with_the_known_ones(name):
    with pytest.raises(UserError, match="unknown variant") as error:
        build(name, "nosuch")
    for variant in VARIANTS[name]:
        assert variant in str(error.value)


# alpha, beta, threshold, top-k of the paper; of the extension where they differ.
@pytest.mark.parametrize(
    ("name", "paper", "extension"),
    [
        ("cub_vgg16", (0.0, 0.7, 0.15, 80), (0.0, 0.9, 0.15, 80)),
        ("cub_mobilenet_v1", (0.5, 1.5, 0.15, 200), (0.5, 1.9, 0.15, 200)),
        ("cub_resnet50", (0.5, 1.2, 0.15, 200), (0.5, 1.5, 0.15, 200)),
        ("cub_inception_v3", (0.5, 1.0, 0.10, 200), (0.5, 1.0, 0.10, 200)),
        ("ilsvrc_vgg16", (0.05, 1.0, 0.5, 1), (0.05, 1.0, 0.45, 1)),
        ("ilsvrc_mobilenet_v1", (0.5, 1.5, 0.5, 1), (0.5, 1.5, 0.5, 1)),
        ("ilsvrc_resnet50", (1.0, 2.0, 0.45, 1), (1.0, 2.0, 0.25, 1)),
        ("ilsvrc_inception_v3", (1.0, 2.5, 0.3, 1), (1.0, 2.5, 0.25, 1)),
    ],
)
def test_the_papers_weights_thresholds_and_top_k(name, paper, extension):
    for variant, expected in (("", paper), ("extension", extension)):
        c = build(name, variant)
        assert c.model.backbone == name.partition("_")[2]
        assert (c.loss.alpha, c.loss.beta) == expected[:2]
        assert (c.eval.score_threshold, c.model.top_k) == expected[2:]


@pytest.mark.parametrize("variant", ["", "extension"])
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipe(name, variant):
    c, is_extension = build(name, variant), variant == "extension"
    data, rate = c.data, c.optimizer
    assert (data.resize_size, data.crop_size) == ((256, 256), (224, 224))
    assert (rate.kind, rate.base_rate, rate.momentum, rate.l2) == (
        "sgd", 1e-3, 0.9, 5e-4,
    )  # fmt: skip
    schedule = (data.batch_size, c.train.epochs, rate.drop_epochs)
    by_set = {"cub": (32, 100, (80,)), "ilsvrc": (128, 9, (3, 6))}
    assert schedule == by_set[data.source]
    assert data.source == name.partition("_")[0]
    assert (rate.schedule, rate.drop_factor, rate.warmup_steps) == ("step", 0.1, 0)
    assert (c.train.classifier_epochs, c.train.batch_statistics) == (0, True)
    assert (c.model.classifier, c.model.classifier_width) == ("paper", 1024)
    assert c.model.normalize_generator_input is False
    assert c.model.weights == "imagenet"
    assert c.model.variant == ("paper" if c.model.backbone == "vgg16" else "keras")
    assert (c.loss.objective, c.eval.ten_crop) == ("bas", True)
    assert c.model.final_relu is not is_extension
    is_one = is_extension and c.model.backbone != "vgg16"
    assert c.loss.background_wins == ("one" if is_one else "zero")


@pytest.mark.parametrize("name", LIKE_CUB)
@pytest.mark.parametrize("variant", ["", "extension"])
def test_the_journals_other_sets_are_trained_and_evaluated_as_cub(name, variant):
    config, cub = build(name, variant), build("cub_resnet50", variant)
    source, num_classes = LIKE_CUB[name]
    assert (config.data.source, config.model.top_k) == (source, num_classes)
    config.data.source, config.model.top_k = cub.data.source, cub.model.top_k
    assert config.to_dict() == cub.to_dict()


def test_the_rate_of_the_journals_segmentation_ends_at_three_quarters():
    """6,610 steps of 26,450: 0.005 (1 - 6610 / 26450)^0.9 = 0.772 * 0.005."""
    config = build("voc12_resnet50", "")
    steps = 10_582 // config.data.batch_size * config.train.epochs
    rate = optimizer.make_schedule(
        kind=config.optimizer.schedule,
        base_rate=config.optimizer.base_rate,
        total_steps=steps,
        poly_total_steps=config.optimizer.poly_total_steps,
    )
    assert steps == 6610
    assert float(rate(steps)) == pytest.approx(0.772 * 0.005, rel=1e-3)
