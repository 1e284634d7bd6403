"""The model card: what it says of a workdir, and that nothing in one breaks it."""

import json
import re
import shutil

import pytest

from bas_tf.configs import demo
from bas_tf.errors import UserError
from bas_tf.evaluators import figures
from bas_tf.export.artifacts import model_card
from bas_tf.jobs import experiment, resuming
from bas_tf.models.weights import keras_applications, sources

HOSTILE = (
    "a | b",
    "`tick`",
    "``two`` ticks",
    "snake_case_name",
    "# heading",
    "line\n\n# break",
    "<script>x</script>",
    "[link](http://x)",
    "\u202eright to left",
    "\udc80",  # a folder's name that is not UTF-8
    " ",
    "*",
    "中文",
)


@pytest.fixture
def make_workdir(tmp_path):
    """(changes of the config by key, class names) -> the Experiment of a workdir."""

    def make(class_names=("cat", "dog"), **changes) -> experiment.Experiment:
        config = demo.get_config("quicktest")
        config.update_from_flattened_dict(
            {key.replace("__", "."): value for key, value in changes.items()}
        )
        workdir = tmp_path / "pets"
        workdir.mkdir(exist_ok=True)
        resuming.write_experiment(workdir, config, class_names)
        return experiment.load_experiment(workdir)

    return make


@pytest.fixture
def evaluated() -> dict:
    """A metrics.json of protocol bas, numbers by hand."""
    figures = {
        "gt_known_loc": 0.75,
        "gt_known_loc@0.7": 0.5,
        "top1_loc": 0.7,
        "top5_loc": 0.725,
        "top1_acc": 0.9,
        "mean_iou": 0.625,
        "cam/gt_known_loc": 0.6,
        "centre_box/gt_known_loc": 0.375,
    }
    return {
        "protocol": "bas",
        "split": "test",
        "num_images": 40,
        "score_threshold": 0.8,
        "threshold_origin": "fixed",
        "model": "/home/someone/runs/pets",
        "config": "/home/someone/pets.py",
        "seed": 0,
        "metrics": {**figures, "num_images_without_boxes": 0, "num_degenerate": 0},
        "intervals_95": {key: [v - 0.1, v + 0.05] for key, v in figures.items()},
    }


def card_of(loaded, metrics: dict | None = None, *, steps: int = 12) -> str:
    if metrics is not None:
        (loaded.workdir / "metrics.json").write_text(json.dumps(metrics))
    return model_card.model_card(loaded, steps=steps)


def section(card: str, title: str) -> str:
    """The text below a heading that starts so, its line breaks as spaces."""
    (text,) = re.findall(rf"^## {title}[^\n]*\n(.*?)(?=^## |\Z)", card, re.M | re.S)
    return " ".join(text.split())


def without_boxes(evaluated: dict) -> dict:
    """A metrics.json of images without true boxes."""
    metrics = {"top1_acc": 0.9, "num_images_without_boxes": 40, "num_degenerate": 0}
    return {**evaluated, "metrics": metrics, "intervals_95": {"top1_acc": [0.8, 0.95]}}


@pytest.mark.slow
def test_the_card_of_the_quick_demo(demo_workdir):
    card = card_of(experiment.load_experiment(demo_workdir))
    metrics = json.loads((demo_workdir / "metrics.json").read_text())["metrics"]
    row = next(line for line in card.splitlines() if line.startswith("| Mean IoU"))
    assert f"| Mean IoU | {100 * metrics['mean_iou']:.1f} % (" in row
    assert f"| {100 * metrics['centre_box/mean_iou']:.1f} % (" in row
    assert "0 `fire_stripe`, 1 `lagoon_stripe`" in card
    assert "12 steps of 16 images (epochs: 2, the first 1" in card
    assert "**Images**: 96;" in card  # drawings are counted by the config
    assert str(demo_workdir.parent) not in card


@pytest.mark.slow
def test_the_same_workdir_gives_the_same_bytes_wherever_it_lies(demo_workdir, tmp_path):
    copy = tmp_path / demo_workdir.name
    shutil.copytree(demo_workdir, copy, ignore=shutil.ignore_patterns("export"))
    cards = [
        card_of(experiment.load_experiment(folder))
        for folder in (demo_workdir, demo_workdir, copy)
    ]
    assert cards[0] == cards[1] == cards[2]


def test_figures_with_their_intervals_next_to_the_baselines(make_workdir, evaluated):
    card = card_of(make_workdir(), evaluated)
    assert "| Figure | This model | CAM | Centre box |\n|---|---|---|---|\n" in card
    assert (
        "\n| GT-known Loc | 75.0 % (65.0 to 80.0) | 60.0 % (50.0 to 65.0) "
        "| 37.5 % (27.5 to 42.5) |\n"
        "| GT-known Loc at IoU 0.7 | 50.0 % (40.0 to 55.0) | – | – |\n"
    ) in card
    for name in ("Top-1 Loc", "Top-5 Loc", "Top-1 accuracy", "Mean IoU"):
        assert f"\n| {name} | " in card and f"\n- **{name}**: " in card
    evaluation = section(card, "Evaluation data")
    assert "Protocol `bas`, split `test`" in evaluation and "40 images" in evaluation
    assert "Threshold 0.8 (fixed: " in evaluation
    assert "those of the Keras model" in card and "export.verify" in card
    assert "75.0 % of the boxes were right" in card
    assert "do not use them" not in card
    assert "IoU with a true box is above 0.5" in section(card, "Metrics")


def test_boxes_that_the_exported_files_do_not_make(make_workdir, evaluated):
    evaluated |= {"refine": "grabcut", "views": "64,flip"}
    card = card_of(make_workdir(), evaluated)
    made = "boxes refined by grabcut, maps averaged over 64,flip"
    assert f"75.0 % of the boxes were right (IoU > 0.5, {made};\none fixed" in card
    assert f"**Evaluated with {made}. Exported" in section(card, "Evaluation data")


def test_images_without_a_box_or_a_map_are_counted(make_workdir, evaluated):
    evaluated["metrics"] |= {"num_images_without_boxes": 7, "num_degenerate": 3}
    card = card_of(make_workdir(), evaluated)
    assert "on 40 images of split `test` (7 without a true box), 75.0 %" in card
    evaluation = section(card, "Evaluation data")
    assert "40 images, 7 of them without a true box" in evaluation
    assert "In 3 images nothing was found." in evaluation


def test_nothing_of_the_machine_is_told(make_workdir, evaluated):
    loaded = make_workdir(
        data__source="folder",
        data__root="/home/someone/photos/pets/",
        model__weights="/home/someone/start.weights.h5",
    )
    card = card_of(loaded, evaluated)
    assert "someone" not in card
    assert str(loaded.workdir.parent) not in card
    assert "folder `pets`" in section(card, "Training data")
    assert "weights file `start.weights.h5`" in section(card, "Model details")


def test_boxes_that_a_fixed_box_beats(make_workdir, evaluated):
    evaluated["metrics"]["gt_known_loc"] = evaluated["metrics"][
        "centre_box/gt_known_loc"
    ]
    assert "do not use them" in card_of(make_workdir(), evaluated)


def test_a_workdir_that_nobody_evaluated(make_workdir):
    card = card_of(make_workdir())
    assert "**Nobody has measured how often it is right.**" in card
    assert section(card, "Results").startswith("**Not evaluated.**")
    assert section(card, "Evaluation data") == "None."
    assert not re.search(r"^\|", card, re.M)  # no table
    assert "do not use them" not in card


def test_images_without_boxes_are_evaluated_by_class_alone(make_workdir, evaluated):
    card = card_of(make_workdir(), without_boxes(evaluated))
    results = section(card, "Results")
    assert results.startswith("**Boxes: not evaluated.**")
    assert (
        "| Figure | This model | |---|---| | Top-1 accuracy | 90.0 % (80.0 to 95.0) |"
        in (results)
    )
    assert "**Nobody has measured its boxes.**" in card
    assert "Loc" not in section(card, "Metrics")


@pytest.mark.parametrize("protocol", ["maxboxacc", "pxap"])
def test_other_protocols_have_their_own_figures(make_workdir, evaluated, protocol):
    key = {"maxboxacc": "max_box_acc", "pxap": "px_ap"}[protocol]
    name = {"maxboxacc": "MaxBoxAcc", "pxap": "PxAP"}[protocol]
    evaluated |= {
        "protocol": protocol,
        "metrics": {key: 0.5, "top1_acc": 0.9},
        "intervals_95": {key: [0.4, 0.6], "top1_acc": [0.8, 0.95]},
    }
    card = card_of(make_workdir(), evaluated)
    assert f"| {name} | 50.0 % (40.0 to 60.0) |" in card
    assert "is 0.5 or more" in section(card, "Metrics")
    assert "not evaluated" not in card and "Nobody has measured" not in card


def test_what_chose_the_epoch_and_the_threshold(make_workdir, evaluated):
    def training_of(**changes) -> str:
        return section(card_of(make_workdir(**changes), evaluated), "Training data")

    assert "No true box and no mask was used to train." in training_of()
    assert "none; the last step's weights" in training_of()
    assert "by its labels alone" in training_of(train__select_by="top1_acc")
    assert "**by its true boxes or masks**" in training_of(train__select_by="mean_iou")

    evaluated |= {"split": "val", "score_threshold": 0.6}
    evaluation = section(card_of(make_workdir(), evaluated), "Evaluation data")
    assert "optimistic.**" not in evaluation
    assert "files cut at 0.8, not at this threshold" in evaluation
    chosen = card_of(make_workdir(train__select_by="mean_iou"), evaluated)
    assert "**The epoch was chosen on these images" in section(chosen, "Evaluation")

    evaluated |= {"threshold_origin": "val-optimal"}
    loaded = make_workdir(train__select_by="", eval__threshold_origin="val-optimal")
    card = card_of(loaded, evaluated)
    assert "**The threshold was chosen on these images" in section(card, "Evaluation")
    assert "the files keep the config's" in section(card, "Caveats")
    evaluated |= {"threshold_origin": "oracle", "split": "test"}
    assert "Threshold 0.6 (oracle: the best one on the evaluated images" in section(
        card_of(loaded, evaluated), "Evaluation data"
    )


def test_every_origin_of_a_threshold_has_its_words():
    assert model_card.ORIGINS.keys() == set(figures.THRESHOLD_ORIGINS)


def test_how_many_training_images_the_log_tells(make_workdir):
    loaded = make_workdir(data__source="folder", data__root="/data/pets")
    log = loaded.workdir / "metrics.jsonl"

    def images() -> str:
        return re.findall(r"\*\*Images\*\*: ([^;]*);", card_of(loaded))[0]

    assert images() == "how many is not recorded"  # no log yet
    rows = [(2, 0), (3, 0), (4, 1), (6, 1)]  # three steps an epoch, of 16 images
    lines = [json.dumps({"step": step, "epoch": epoch}) for step, epoch in rows]
    log.write_text("\n".join(lines[:2]) + '\n{"step": 4, "ep')  # killed
    assert images() == "how many is not recorded"
    log.write_text("\n".join(lines) + "\n")
    assert images() == "between 48 and 63, by the batches of an epoch"

    listing = loaded.workdir / "skipped_images_train.txt"
    listing.write_bytes(b"a.jpg: bad\ncaf\xe9.jpg: bad\n")
    assert "2 that could not be read were left out" in card_of(loaded)


def test_every_start_from_imagenet_has_its_terms(make_workdir):
    starts = {*keras_applications.APPLICATIONS, *sources.IMAGENET_SOURCES}
    assert set(model_card.IMAGENET_TERMS) == starts
    for backbone, terms in model_card.IMAGENET_TERMS.items():
        loaded = make_workdir(model__backbone=backbone, model__weights="imagenet")
        caveats = section(card_of(loaded), "Caveats")
        assert terms in re.search(r"- Starting weights: (.*?) - ", caveats)[1]
        assert "non-commercial research" in caveats


def test_a_backbone_without_imagenet_weights_needs_no_terms(make_workdir, monkeypatch):
    monkeypatch.delitem(model_card.IMAGENET_TERMS, "vgg16")
    card = card_of(make_workdir(model__backbone="vgg16"))
    assert "weights: none" in section(card, "Caveats")


def test_terms_of_other_starts(make_workdir):
    def caveats_of(**changes) -> str:
        return section(card_of(make_workdir(**changes)), "Caveats")

    fresh = caveats_of(data__source="folder", data__root="/data/pets")
    assert "weights: none, so only the training images matter" in fresh
    assert "Training images: not stated" in fresh and "ImageNet" not in fresh
    assert "drawn by bas_tf" in caveats_of(data__source="synthetic")
    from_file = caveats_of(model__weights="/data/cub.weights.h5")
    assert "`cub.weights.h5`, whose terms apply and are not stated" in from_file
    assert "PyTorch reference states no licence" in from_file
    from_workdir = caveats_of(model__weights="/data/runs/first")  # not there any more
    assert "the training `first`, whose terms apply" in from_workdir
    assert "**Licence of this model**: not stated." in from_workdir
    owned = caveats_of(export__license="CC-BY-4.0", model__weights="")
    assert "**Licence of this model**: `CC-BY-4.0`, as its owner says" in owned


def test_weights_that_were_only_carried_over(make_workdir):
    loaded = make_workdir(model__weights="x/cub.weights.h5", train__epochs=0)
    training = section(card_of(loaded, steps=0), "Training data")
    assert training.startswith("Nothing was trained here")
    loaded = make_workdir(model__weights="", train__epochs=0)
    assert "the weights are random" in card_of(loaded, steps=0)


def test_many_classes_are_counted(make_workdir):
    card = card_of(make_workdir([f"species {i}" for i in range(51)]))
    assert "**Classes**: 51, by number: 0 `species 0`, " in card
    assert "19 `species 19` and 31 more, which each file lists" in card
    assert "`species 20`" not in card
    card = card_of(make_workdir([f"species {i}" for i in range(50)]))
    assert "49 `species 49`." in card


def test_hostile_names_change_nothing_but_their_own_text(make_workdir, evaluated):
    markdown_it = pytest.importorskip("markdown_it")
    parse = markdown_it.MarkdownIt("commonmark").enable("table").parse

    def blocks_and_names(class_names, root):
        loaded = make_workdir(class_names, data__source="folder", data__root=root)
        tokens = parse(card_of(loaded, evaluated))
        inlines = [token for token in tokens if token.type == "inline"]
        kinds = [child.type for inline in inlines for child in inline.children]
        (classes,) = [i for i in inlines if i.content.startswith("**Classes**")]
        spans = [c.content for c in classes.children if c.type == "code_inline"]
        return [token.type for token in tokens], kinds, spans

    tame = [f"c{i}" for i in range(len(HOSTILE))]
    tame[HOSTILE.index(" ")] = ""  # neither has a code span
    expected = blocks_and_names(tame, "/data/pets")
    found = blocks_and_names(HOSTILE, "/data/`a`|\n# b")
    assert found[0] == expected[0]
    assert found[1] == expected[1]
    assert found[2] == [
        "a | b",
        "`tick`",
        "``two`` ticks",
        "snake_case_name",
        "# heading",
        r"line\n\n# break",
        "<script>x</script>",
        "[link](http://x)",
        r"\u202eright to left",
        r"\udc80",
        "*",
        "中文",
    ]


def test_a_card_with_any_name_can_be_written(make_workdir):
    card = model_card.model_card(make_workdir(HOSTILE), steps=1)
    assert card.encode().endswith(b"Apache-2.0.\n")


def test_a_metrics_file_that_cannot_be_read(make_workdir, evaluated):
    loaded = make_workdir()
    path = loaded.workdir / "metrics.json"
    unknown = json.dumps({**evaluated, "threshold_origin": "guessed"})
    no_numbers = '{"metrics": 1, "intervals_95": {}}'
    for text in ("{", "[]", '{"protocol": "bas"}', no_numbers, unknown):
        path.write_text(text)
        told = f"^{re.escape(str(path))}: not a metrics.json"
        with pytest.raises(UserError, match=told):
            model_card.model_card(loaded, steps=1)
