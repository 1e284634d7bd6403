"""Label maps as files, by the command."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from bas_tf import files
from bas_tf.configs import demo, drawings_multilabel
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, training
from bas_tf.segmentation import edge_training, label_maps, seed_files
from bas_tf.segmentation.choices import Choices
from tests.commands import only_error_line
from tests.training import narrow

COUNT = 18  # more than are done between two writings of the index


def few_drawings(config, backbone: str):
    config.data.num_images = {"train": COUNT, "val": 4}
    config.data.batch_size = 6
    config.model.backbone = backbone
    config.train.epochs = config.train.classifier_epochs = 0
    config.train.self_training_rounds = 0
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Workdirs of fresh networks: of several classes a drawing, and of one."""
    root = tmp_path_factory.mktemp("trained")
    with narrow.shallow_backbone() as backbone:
        for name, module in (("several", drawings_multilabel), ("one", demo)):
            config = few_drawings(module.get_config("quicktest"), backbone)
            training.run_training(config, root / name)
        yield root


@pytest.fixture
def refine(trained, tmp_path, command):
    """Runs the command into tmp_path/labels: (exit code, standard output, error)."""

    def run(*flags, workdir="several"):
        return command(
            "bas_tf.refine", f"--workdir={trained / workdir}",
            "--config=configs/drawings_multilabel.py:quicktest",
            f"--config.data.num_images.train={COUNT}",
            "--config.data.num_images.val=4",
            f"--output={tmp_path / 'labels'}", *flags,
        )  # fmt: skip

    return run


def direct_ious(config, folder, split: str) -> np.ndarray:
    """Per label over the files, by sets of pixels; NaN for one that is nowhere."""
    source = experiment.open_source(config)
    hits, union = np.zeros([2, len(source.class_names) + 1])
    for record in source.records(split):
        truth = record.load_class_mask()
        found = np.asarray(Image.open(folder / f"{record.image_id}.png"))
        assert found.dtype == np.uint8 and found.shape == (72, 72)
        assert set(found.flat) <= {0, *np.add(record.labels, 1)}
        for k in range(len(hits)):
            hits[k] += ((truth == k) & (found == k)).sum()
            union[k] += ((truth == k) | (found == k)).sum()
    with np.errstate(invalid="ignore"):
        return hits / union


@pytest.mark.slow
def test_files_and_their_iou_after_a_stop(refine, trained, tmp_path, monkeypatch):
    """Stopped at the last photo of 18, whose index has 16."""
    flags = ["--maps=both", "--refine=crf", "--threshold=val"]
    write = files.write_file

    def stopping(path, content):
        if str(path).endswith(f"{COUNT - 1:06d}.png"):
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_file", stopping)
        assert refine(*flags)[0] == 130
    labels = tmp_path / "labels"
    assert json.loads((labels / seed_files.INDEX_FILE).read_text())["done"] == 16
    code, out, _ = refine(*flags)
    assert code == 0
    figures = json.loads((labels / seed_files.FIGURES_FILE).read_text())
    config = experiment.load_experiment(trained / "several").config
    direct = direct_ious(config, labels, "train")
    ious = [figures["background_iou"], *figures["class_ious"].values()]
    np.testing.assert_allclose(ious, direct)
    assert figures["miou"] == pytest.approx(direct.mean())
    assert figures["num_measured"] == COUNT
    assert f"mIoU {direct.mean():.3f}; oracle {figures['oracle_miou']:.3f}" in out
    code, _, err = refine("--maps=bas")
    assert code == 2 and "other maps, refine, threshold; use" in only_error_line(err)


def test_the_best_threshold_of_unrefined_maps_is_the_oracle(refine, tmp_path):
    flags = ["--split=val", "--maps=cam"]
    assert refine(*flags)[0] == 0
    path = tmp_path / "labels" / seed_files.FIGURES_FILE
    oracle = json.loads(path.read_text())
    for file in sorted((tmp_path / "labels").glob("*.json")):
        file.unlink()
    code, _, err = refine(*flags)
    assert code == 2 and "000000.png: is there" in only_error_line(err)
    (tmp_path / "labels").rename(tmp_path / "others")
    best = oracle["oracle_threshold"]
    assert refine(*flags, f"--threshold={best}")[0] == 0
    found = json.loads(path.read_text())
    assert found["miou"] == oracle["oracle_miou"] > oracle["miou"]


@pytest.mark.slow
def test_a_walk_and_its_network_after_a_stop(refine, trained, tmp_path, monkeypatch):
    """Stopped at the last of four masks; the edge network is trained once."""
    flags, write = ["--refine=walk", "--split=val", "--maps=both"], files.write_file
    labels = tmp_path / "labels"
    learnt = labels / seed_files.EDGE_FOLDER

    def stopping(path, content):
        if path.name == "000003.png" and learnt not in path.parents:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_file", stopping)
        assert refine(*flags)[0] == 130
    index = json.loads((learnt / seed_files.INDEX_FILE).read_text())
    expected = {"split": "train", "refine": "confident", "maps": "both", "done": COUNT}
    assert expected.items() <= index.items()
    rows = (learnt / edge_training.LOSSES_FILE).read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert len(losses) == edge_training.EPOCHS and losses[-1] < losses[0]
    weights = learnt / edge_training.WEIGHTS_FILE
    written = weights.stat().st_mtime_ns
    code, out, _ = refine(*flags)
    assert code == 0 and weights.stat().st_mtime_ns == written
    figures = json.loads((labels / seed_files.FIGURES_FILE).read_text())
    config = experiment.load_experiment(trained / "several").config
    direct = direct_ious(config, labels, "val")
    assert figures["miou"] == pytest.approx(np.nanmean(direct))
    assert f"mIoU {figures['miou']:.3f}; oracle" in out
    labels.rename(tmp_path / "others")
    shutil.copytree(tmp_path / "others" / seed_files.EDGE_FOLDER, learnt)
    code, _, err = refine(*flags, "--threshold=0.4")
    assert code == 2 and "edge_network/label_maps.json: has" in only_error_line(err)


@pytest.mark.parametrize(
    ("workdir", "flags", "message"),
    [
        ("one", ["--maps=cam"], "--maps is for a workdir trained with loss.classific"),
        ("several", ["--threshold=2"], "--threshold=2: expected val or a number"),
        ("several", ["--threshold=much"], "--threshold=much: expected val or a num"),
        ("several", ["--threshold=val", "--split=val"], "--threshold=val is chosen on"),
        ("several", ["--config.data.corrected_boxes=b.csv"], "data.corrected_boxes=b"),
        ("several", ["--split=test2"], "no split 'test2'"),
    ],
)
def test_mistakes(refine, tmp_path, workdir, flags, message):
    code, _, err = refine(*flags, workdir=workdir)
    assert code == 2 and message in only_error_line(err)
    assert not (tmp_path / "labels").exists()


def test_predicted_labels():
    """Above 0; the best where none is, and alone behind a ReLU."""
    for scores, final_relu, expected in (
        ([1, -1, 2], False, [0, 2]), ([-3, -1, -2], False, [1]), ([1, 0, 2], True, [2]),
    ):  # fmt: skip
        found = label_maps.predicted_labels(np.array(scores), final_relu=final_relu)
        assert found.tolist() == expected


def test_a_large_photo_is_seen_no_larger_than_in_training(trained):
    """Of 300 x 144 pixels at 72 x 35: views of 64 x 32 and more, not of 608."""
    teacher = experiment.load_experiment(trained / "several")
    record = experiment.open_source(teacher.config).records("train")[0]
    large = record.image.decode().resize([300, 144])

    class Large:
        image_id, labels = "large", record.labels
        load_image = staticmethod(lambda: np.asarray(large))

    found = label_maps.make_seeds_fn(teacher, labels="predicted", maps="bas")(Large)
    assert found.photo.shape == (35, 72, 3)
    assert found.high.shape == (len(found.keys), 35, 72)


def test_too_many_classes(trained, tmp_path):
    teacher = experiment.load_experiment(trained / "several")
    many = experiment.Experiment(teacher.workdir, teacher.config, tuple("x" * 254))
    with pytest.raises(UserError, match="has 254 classes; label maps hold 253"):
        seed_files.write_label_maps(
            many,
            teacher.config,
            tmp_path,
            Choices("train", "true", "bas", "none", "0.3"),
        )
