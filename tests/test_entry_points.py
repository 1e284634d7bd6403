"""Every command answers --help, and tells a user's mistake in one line."""

import json
import shutil

import numpy as np
import pytest

from bas_tf.configs import demo
from bas_tf.jobs import experiment, resuming
from bas_tf.models.weights import weights_file
from tests.commands import exit_code_in_process, only_error_line, run_command
from tests.training import narrow

COMMANDS = {  # and their flags
    "bas_tf.train": "config local_workers workdir",
    "bas_tf.evaluate": "model config split protocol output per_image",
    "bas_tf.localize": "model output class min_confidence",
    "bas_tf.annotate": (
        "model output format [no]known_labels [no]masks min_confidence margin order"
    ),
    "bas_tf.refine": "labels maps output refine split threshold",
    "bas_tf.check_data": "config on_bad_image output write_shards",
    "bas_tf.import_weights": (
        "source backbone num_classes checkpoint output width [no]partial"
    ),
    "bas_tf.analyze_activation": "model config split output",
    "bas_tf.ablate": "config workdir",
    "bas_tf.compare": "data_root images on_bad_image output split",
    "export.demo": "config workdir",
    "export.saved_model": "workdir output serving_dir",
    "export.tflite": (
        "data_root workdir output quantize [no]any_size [no]given_class "
        "[no]no_boxes input_type refine"
    ),
    "export.onnx": "workdir output",
    "export.layer_errors": "workdir artifact output",
    "export.benchmark": "artifacts output num_threads",
    "export.serving.client": (
        "address protocol model version version_label batch_size concurrency "
        "timeout_s class_id output [no]overlays"
    ),
    "export.verify": "workdir artifacts output max_drop num_threads on_bad_image",
    "export.web": "artifacts output quantize [no]serve port",
}
QUICK = "--config=configs/demo.py:quicktest"
TERMS = {
    "classification_loss",
    "foreground_region_guidance_loss",
    "area_constraint_loss",
    "background_activation_suppression_loss",
}


@pytest.fixture
def refused(command, tmp_path):
    """Runs a command that must exit 2; returns its one line.

    `WORKDIR` in an argument becomes a folder that must not exist afterwards.
    """

    def run(module, *args):
        workdir = tmp_path / "workdir"
        args = [str(arg).replace("WORKDIR", str(workdir)) for arg in args]
        code, _, err = command(module, *args)
        assert code == 2, err
        assert not workdir.exists()
        return only_error_line(err)

    return run


def folder_flags(root):
    return (
        QUICK,
        "--config.data.source=folder",
        f"--config.data.root={root}",
        "--config.data.batch_size=2",
    )


@pytest.mark.parametrize("module", COMMANDS)
def test_help_exits_0_and_shows_an_example_and_the_flags(module, command):
    code, out, err = command(module, "--help")
    assert f"python -m {module} " in out
    assert "debug: " in out
    assert all(f"--{flag}: " in out for flag in COMMANDS[module].split())
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "args, told",
    [
        ([QUICK + "s"], "configs/demo.py:quicktests: unknown variant; known: quick"),
        (["--config=configs/lost.py"], "--config=configs/lost.py: no such file"),
        (["--config", "configs/lost.py"], "--config=configs/lost.py: no such file"),
        (["--config=configs"], "--config=configs: no such file"),
        (["--config=README.md"], "--config=README.md: not a config file"),
        (["--config=bas_tf/export/web/page/tsconfig.json"],
         "tsconfig.json: not a config file"),
        (["--config=bas_tf/names.py"], "names.py: defines no get_config"),
        ([], "--config is missing"),
        ([QUICK, "--config.loss.gamma=1"], "--config.loss.gamma: unknown key; "
         "config.loss has: alpha, "),
        ([QUICK, "--config.los.beta=1"], "--config.los.beta: unknown key; config has: "
         "data, eval, export, loss, model, optimizer, train"),
        (["--config", "configs/demo.py", "--config.loss.gamma", "1"],
         "--config.loss.gamma: unknown key"),
        ([QUICK, "--config.data.service=grpc://a:1"], "data.service was removed"),
        ([QUICK, "--config.train.quantization_aware=True"],
         "train.quantization_aware was removed"),
        ([QUICK, "--config.loss.beta=much"], "--config.loss.beta=much"),
        ([QUICK, "stray"], "unexpected argument 'stray'"),
        ([QUICK, "--nosuch=1"], "nosuch"),
        ([QUICK, "--config.model.backbone=resnet"], "model.backbone is 'resnet'; "
         "known: efficientnet_lite0, inception_v3, mobilenet_v1, resnet50, vgg16"),
        ([QUICK, "--config.model.classifier=deep"], "model.classifier is 'deep'"),
        ([QUICK, "--config.model.weights=resnet"], "model.weights is 'resnet'; known"),
        ([QUICK, "--config.data.crop_size=(64, 60)"], "data.crop_size is 64x60; both "
         "must be multiples of 32"),
        ([QUICK, "--config.data.source=web"], "data.source is 'web'; known: "),
        ([QUICK, "--config.data.batch_size=97"], "data.batch_size is 97, but there "
         "are 96 images"),
    ],
)  # fmt: skip
def test_a_mistake_in_trains_settings(refused, args, told):
    assert told in refused("bas_tf.train", "--workdir=WORKDIR", *args)


@pytest.mark.parametrize("args", [[], ["--config=configs/demo.py", "--port=5050"]])
def test_a_removed_command(refused, args):
    assert "bas_tf.data_service was removed" in refused("bas_tf.data_service", *args)


def test_a_config_file_is_run_once(error_line, tmp_path):
    config = tmp_path / "counted.py"
    config.write_text(
        f"with open({str(tmp_path / 'runs')!r}, 'a') as file: file.write('x')\n"
        "from configs import common\n"
        "def get_config(_=''):\n"
        "  return common.base_config()\n"
    )
    args = ("bas_tf.train", f"--config={config}", f"--workdir={tmp_path / 'w'}")
    assert "data.root is empty" in error_line(*args)
    assert (tmp_path / "runs").read_text() == "x"


def test_a_config_file_that_sets_a_removed_key(refused, tmp_path):
    config = tmp_path / "old.py"
    config.write_text(
        "from configs import common\n"
        "def get_config(_=''):\n"
        "  config = common.base_config()\n"
        "  config.data.service = 'grpc://a:1'\n"
        "  return config\n"
    )
    line = refused("bas_tf.train", "--workdir=WORKDIR", f"--config={config}")
    assert "config.data.service was removed" in line


def test_a_missing_flag(refused):
    assert "--workdir" in refused("bas_tf.train", QUICK)
    assert "--model" in refused("bas_tf.evaluate", QUICK, "--output=WORKDIR/m.json")


@pytest.mark.parametrize("module", ["bas_tf.train", "export.demo"])
def test_a_missing_data_root(refused, tmp_path, module):
    assert "data.root is empty" in refused(
        module, *folder_flags(""), "--workdir=WORKDIR"
    )
    lost = tmp_path / "lost"
    line = refused(module, *folder_flags(lost), "--workdir=WORKDIR")
    assert f"data.root is '{lost}': no such folder" in line


def test_faults_in_a_data_folder(refused, photo_folder):
    (photo_folder / "train" / "ape").mkdir()
    line = refused("bas_tf.train", *folder_flags(photo_folder), "--workdir=WORKDIR")
    assert "split 'train' has no images of 1 of its 3 classes (ape)" in line
    shutil.rmtree(photo_folder / "train" / "ape")
    with open(photo_folder / "boxes.csv", "a") as file:
        file.write("val/cat/lost.jpg,0,0,5,5\n")
    line = refused("bas_tf.train", *folder_flags(photo_folder), "--workdir=WORKDIR")
    assert f"{photo_folder}/boxes.csv: 1 of its" in line and "lost.jpg" in line


@pytest.mark.parametrize(
    "module, args",
    [
        ("bas_tf.evaluate", [QUICK, "--output=WORKDIR/metrics.json"]),
        ("bas_tf.localize", ["--output=WORKDIR", "PHOTO"]),
    ],
)
def test_a_model_that_is_nothing(refused, photo_folder, tmp_path, module, args):
    photo = str(photo_folder / "val" / "cat" / "0.jpg")
    args = [arg.replace("PHOTO", photo) for arg in args]
    for model in (tmp_path / "lost", tmp_path, tmp_path / "lost.tflite"):
        assert f"{model}: n" in refused(module, f"--model={model}", *args)


@pytest.mark.parametrize(
    "content",
    [
        b'{"model_type": "vit"}',
        b"[1, 2]",
        b'{"config": 3, "class_names": ["a"]}',
        b"\xff",
    ],
)
def test_a_config_file_of_something_else(refused, tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    line = refused("export.tflite", f"--workdir={tmp_path}", "--output=WORKDIR")
    assert f"{tmp_path / 'config.json'}: not " in line


@pytest.mark.parametrize(
    ("module", "args"),
    [
        ("bas_tf.evaluate", [QUICK, "--model=lost", "--output=FOLDER"]),
        ("bas_tf.evaluate", [QUICK, "--model=lost", "--per_image=FOLDER"]),
        ("bas_tf.evaluate", [QUICK, "--model=lost", "--output=FILE/metrics.json"]),
        ("bas_tf.analyze_activation", [QUICK, "--model=lost", "--output=FILE"]),
        ("bas_tf.check_data", [QUICK, "--output=FILE/data.json"]),
        ("bas_tf.compare", ["lost", "lost_too", "--output=FILE"]),
        ("export.verify", ["--workdir=W", "--artifacts=lost", "--output=FOLDER"]),
        ("export.benchmark", ["--artifacts=lost", "--output=FOLDER"]),
        ("export.layer_errors", ["--workdir=W", "--artifact=lost", "--output=FILE/a"]),
    ],
)
def test_an_output_that_cannot_be_written_is_told_first(
    refused, tmp_path, module, args
):
    """Before hours of evaluating, so before what is wrong with the model."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    names = {"FILE": str(file), "FOLDER": str(folder)}
    for name, place in names.items():
        args = [arg.replace(name, place) for arg in args]
    line = refused(module, *args)
    assert "cannot be written (" in line and str(tmp_path) in line


def test_home_is_expanded_in_flags_and_in_the_config(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy("configs/demo.py", tmp_path / "mine.py")
    args = folder_flags("~/lost")[1:]
    line = refused(
        "bas_tf.train", "--config=~/mine.py:quicktest", *args, "--workdir=WORKDIR"
    )
    assert f"data.root is '{tmp_path / 'lost'}'" in line
    line = refused(
        "bas_tf.train", QUICK, "--config.model.weights=~/mine.py", "--workdir=WORKDIR"
    )
    assert f"{tmp_path / 'mine.py'}" in line
    for key in ("data.pseudo_masks", "data.corrected_boxes"):
        args = [QUICK, f"--config.{key}=~/lost", "--workdir=WORKDIR"]
        assert f"{key}={tmp_path / 'lost'}: " in refused("bas_tf.train", *args)
    line = refused("export.onnx", "--workdir=~/lost", "--output=WORKDIR")
    assert f"{tmp_path / 'lost'}: no config.json" in line


def test_int8_looks_where_the_photos_have_been_moved(refused, photo_folder, tmp_path):
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(tmp_path / "lost")
    resuming.write_experiment(tmp_path / "run", config, ("cat", "dog"))
    args = ["export.tflite", f"--workdir={tmp_path / 'run'}", "--output=WORKDIR",
            "--quantize=int8"]  # fmt: skip
    assert f"{tmp_path / 'lost'}" in refused(*args)
    assert "6 different images" in refused(*args, f"--data_root={photo_folder}")


def test_localize_without_an_image(refused, tmp_path):
    line = refused("bas_tf.localize", f"--model={tmp_path}", "--output=WORKDIR")
    assert "no PHOTO given" in line


def test_an_unknown_protocol_or_quantization(refused, tmp_path):
    line = refused("bas_tf.evaluate", QUICK, f"--model={tmp_path}", "--protocol=iou")
    assert "--protocol=iou" in line
    line = refused(
        "export.tflite", f"--workdir={tmp_path}", "--output=WORKDIR", "--quantize=int4"
    )
    assert "--quantize=int4" in line


def test_debug_shows_the_traceback(monkeypatch):
    with pytest.raises(ValueError, match="unexpected argument 'stray'"):
        exit_code_in_process(
            monkeypatch, "bas_tf.train", "--workdir=none", "--debug", "stray"
        )


@pytest.mark.slow
def test_a_new_process_too_prints_one_line_and_nothing_of_tensorflow(tmp_path):
    workdir = tmp_path / "workdir"
    done = run_command("bas_tf.train", *folder_flags(""), f"--workdir={workdir}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == only_error_line(done.stderr) + "\n"
    assert not workdir.exists()


@pytest.mark.slow
def test_a_truncated_photo_met_while_training(photo_folder, tmp_path, command):
    photo = photo_folder / "train" / "cat" / "0.jpg"
    photo.write_bytes(photo.read_bytes()[:700])
    workdir = tmp_path / "workdir"
    with narrow.shallow_backbone() as backbone:
        code, _, err = command(
            "bas_tf.train", *folder_flags(photo_folder),
            "--config.eval.split=val", f"--config.model.backbone={backbone}",
            f"--workdir={workdir}",
        )  # fmt: skip
    assert code == 2
    assert f"error: {photo}: not a readable image" in only_error_line(err)
    assert not list(workdir.glob("checkpoints/*"))


@pytest.mark.slow
def test_a_workdir_of_another_config_is_named_and_left_alone(refused, demo_workdir):
    before = {p: p.read_bytes() for p in demo_workdir.iterdir() if p.is_file()}
    line = refused(
        "bas_tf.train", QUICK, f"--workdir={demo_workdir}", "--config.loss.beta=0.7"
    )
    assert f"{demo_workdir}: was trained with loss.beta=" in line
    assert "the config says 0.7; use another --workdir" in line
    assert before == {p: p.read_bytes() for p in demo_workdir.iterdir() if p.is_file()}


@pytest.mark.slow
def test_localize_of_a_text_file_alone_writes_nothing(refused, demo_workdir, tmp_path):
    text = tmp_path / "note.jpg"
    text.write_text("not a photo")
    line = refused(
        "bas_tf.localize", f"--model={demo_workdir}", "--output=WORKDIR", text
    )
    assert f"{text}: not a readable image" in line


@pytest.mark.slow
def test_an_unknown_class_lists_the_known_ones(refused, demo_workdir, tmp_path):
    known = json.loads((demo_workdir / "config.json").read_text())["class_names"]
    line = refused(
        "bas_tf.localize", f"--model={demo_workdir}", "--output=WORKDIR",
        "--class=unicorn", demo_workdir / "panels.png",
    )  # fmt: skip
    told = f"--class=unicorn: unknown; the model knows {', '.join(known)}"
    assert line == f"error: {told}"
    line = refused(
        "bas_tf.localize", f"--model={demo_workdir / 'export' / 'saved_model'}",
        "--output=WORKDIR", f"--class={known[0]}", demo_workdir / "panels.png",
    )  # fmt: skip
    assert "--class needs a training workdir" in line


@pytest.mark.slow
def test_the_demo_writes_the_promised_keys(demo_workdir):
    summary = json.loads((demo_workdir / "summary.json").read_text())
    assert set(summary) == {"seconds", "peak_memory_bytes", "rows"}
    assert [row["name"] for row in summary["rows"]] == [
        "centre_box", "cam", "keras", "saved_model", "tflite_float32", "tflite_int8",
        "onnx",
    ]  # fmt: skip
    columns = {"name", "top1_loc", "top5_loc", "gt_known_loc", "mean_iou", "size_bytes"}
    assert all(columns <= set(row) for row in summary["rows"])
    document = json.loads((demo_workdir / "metrics.json").read_text())
    assert set(document) == {
        "protocol", "data", "split", "num_images", "score_threshold",
        "threshold_origin", "model", "config", "seed", "metrics", "intervals_95",
        "figures", "map_class",
    }  # fmt: skip
    assert document["config"] == "configs/demo.py:quicktest"
    assert document["num_images"] == 32
    promised = {
        "gt_known_loc", "top1_loc", "top5_loc", "top1_acc", "mean_iou",
        "gt_known_loc@0.7", "cam/gt_known_loc", "cam/mean_iou",
        "centre_box/gt_known_loc",
    }  # fmt: skip
    assert promised <= set(document["metrics"])
    assert all(0 <= document["metrics"][key] <= 1 for key in promised)
    assert summary["rows"][2]["mean_iou"] == document["metrics"]["mean_iou"]


@pytest.mark.slow
def test_the_demo_logs_every_step_once_with_every_term(demo_workdir):
    log = (demo_workdir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in log]
    assert [row["step"] for row in rows] == list(range(1, 13))  # 2 x 96 / 16
    for row in rows:
        assert set(row) == TERMS | {
            "step",
            "epoch",
            "loss",
            "accuracy",
            "learning_rate",
        }


@pytest.mark.slow
def test_no_epochs_make_a_workdir_of_a_weights_file(
    photo_folder, tmp_path, monkeypatch
):
    """Imported weights are evaluated and exported like trained ones."""
    weights, workdir = tmp_path / "w.weights.h5", tmp_path / "workdir"
    config = demo.get_config("quicktest")
    with narrow.shallow_backbone() as config.model.backbone:
        fresh = experiment.build_model(config, num_classes=2)
        weights_file.save(fresh, weights, source="a test")
        code = exit_code_in_process(
            monkeypatch, "bas_tf.train", *folder_flags(photo_folder),
            f"--config.model.backbone={narrow.NAME}", "--config.train.epochs=0",
            "--config.eval.split=val", f"--config.model.weights={weights}",
            f"--workdir={workdir}",
        )  # fmt: skip
        assert code == 0
        loaded = experiment.load_localizer(experiment.load_experiment(workdir))
    for ours, theirs in zip(loaded.variables, fresh.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    assert json.loads((workdir / "metrics.json").read_text())["num_images"] == 4
