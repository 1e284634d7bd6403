"""Every command with every output placed on every input: nothing read is replaced."""

import hashlib
import shutil
from pathlib import Path

import pytest

from bas_tf.configs import demo
from bas_tf.jobs import resuming
from tests.commands import REPO, exit_code_in_process, only_error_line

# ml_collections 1.1.0 loads config files by a deprecated call.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
FOLDER = ["--config.data.source=folder", "--config.data.root=PHOTOS",
          "--config.eval.split=val", "--config.data.batch_size=2"]  # fmt: skip
ABLATION = "--config=configs/ablation.py:synthetic_quicktest"
DATA = ["--config=CONFIG:quicktest", *FOLDER]
OF_DATA = ["CONFIG", "PHOTOS/boxes.csv", "PHOTOS/val/cat/0.jpg"]
OF_WORKDIR = ["WORKDIR/config.json", "WORKDIR/checkpoints/step-1.npz"]
PHOTO, TFLITE = "PHOTOS/val/cat/0.jpg", "ARTIFACTS/localizer_int8.tflite"

# The command with OUT for its output; what it reads; where OUT is a folder, the names
# that it writes there.
COMMANDS = {
    "evaluate": (
        ["bas_tf.evaluate", *DATA, "--model=WORKDIR", "--output=OUT"],
        [*OF_DATA, *OF_WORKDIR], None,
    ),
    "evaluate --per_image": (
        ["bas_tf.evaluate", *DATA, f"--model={TFLITE}", "--output=NEW",
         "--per_image=OUT"],
        [*OF_DATA, TFLITE], None,
    ),
    "check_data": (["bas_tf.check_data", *DATA, "--output=OUT"], OF_DATA, None),
    "check_data --write_shards": (
        ["bas_tf.check_data", *DATA, "--write_shards=OUT"],
        [*OF_DATA, "PHOTOS", "PHOTOS/val"], None,
    ),
    "analyze_activation": (
        ["bas_tf.analyze_activation", *DATA, "--model=WORKDIR", "--output=OUT"],
        [*OF_DATA, *OF_WORKDIR], ["activation.json", "activation.png"],
    ),
    "compare": (
        ["bas_tf.compare", "WORKDIR", "FILE", "--output=OUT"],
        [*OF_WORKDIR, "FILE"],
        ["comparison.json", "comparison.md", "comparison.html"],
    ),
    "import_weights": (
        ["bas_tf.import_weights", "--source=torchvision", "--backbone=vgg16",
         "--num_classes=2", "--checkpoint=WEIGHTS", "--output=OUT"],
        ["WEIGHTS"], None,
    ),
    "localize": (
        ["bas_tf.localize", "--model=WORKDIR", "--output=OUT", "--", PHOTO],
        [*OF_WORKDIR, PHOTO], ["predictions.json", "0_localized.png"],
    ),
    "localize a folder": (
        ["bas_tf.localize", f"--model={TFLITE}", "--output=OUT", "PHOTOS/val"],
        [TFLITE, "PHOTOS/val/dog/1.jpg"], ["predictions.json", "1_2_localized.png"],
    ),
    "annotate": (
        ["bas_tf.annotate", "--model=WORKDIR", "--output=OUT", "--format=coco",
         "PHOTOS/val"],
        [*OF_WORKDIR, "PHOTOS/val/dog/1.jpg"],
        ["annotations.json", "annotations.jsonl"],
    ),
    "saved_model": (
        ["export.saved_model", "--workdir=WORKDIR", "--output=OUT"],
        [*OF_WORKDIR, "WORKDIR", "WORKDIR/checkpoints"], None,
    ),
    "saved_model --serving_dir": (
        ["export.saved_model", "--workdir=WORKDIR", "--serving_dir=OUT"],
        OF_WORKDIR, None,
    ),
    "tflite": (
        ["export.tflite", "--workdir=WORKDIR", "--output=OUT", "--quantize=int8"],
        [*OF_WORKDIR, PHOTO],
        ["labels.txt", "model_card.md", "localizer_int8.tflite",
         "localizer_int8.tflite.json"],
    ),
    "onnx": (
        ["export.onnx", "--workdir=WORKDIR", "--output=OUT"],
        OF_WORKDIR, ["localizer.onnx", "model_card.md"],
    ),
    "verify": (
        ["export.verify", "--workdir=WORKDIR", "--artifacts=ARTIFACTS",
         "--output=OUT"],
        [*OF_WORKDIR, PHOTO, TFLITE], None,
    ),
    "benchmark": (
        ["export.benchmark", "--artifacts=ARTIFACTS", "--output=OUT"], [TFLITE], None,
    ),
    "layer_errors": (
        ["export.layer_errors", "--workdir=WORKDIR", f"--artifact={TFLITE}",
         "--output=OUT"],
        [*OF_WORKDIR, PHOTO, TFLITE], None,
    ),
    "web": (
        ["export.web", "--artifacts=ARTIFACTS", "--output=OUT"],
        [TFLITE, "ARTIFACTS"], None,
    ),
    "edge photo": (
        ["export.edge.photo", TFLITE, PHOTO, "--output=OUT"],
        [TFLITE, PHOTO], ["0_found.png"],
    ),
    "train": (["bas_tf.train", *DATA, "--workdir=OUT"], OF_DATA, None),
    "train from a workdir": (
        ["bas_tf.train", *DATA, "--config.model.weights=WORKDIR", "--workdir=OUT"],
        ["WORKDIR"], None,
    ),
    "ablate": (
        ["bas_tf.ablate", ABLATION, *FOLDER, "--workdir=OUT"], OF_DATA[1:], None,
    ),
    "demo": (["export.demo", *DATA, "--workdir=OUT"], OF_DATA, None),
}  # fmt: skip
CASES = [
    pytest.param(args, read, name, id=f"{command}: {name or ''} on {read}")
    for command, (args, inputs, names) in COMMANDS.items()
    for read in inputs
    for name in names or [None]
]
CLIENT = pytest.param(
    ["export.serving.client", "--address=localhost:1", "--output=OUT", PHOTO],
    PHOTO, "results.jsonl", id="client",
)  # fmt: skip


@pytest.fixture
def places(photo_folder, tmp_path) -> dict[str, Path]:
    """Inputs of every kind; models are no models, so that no command can run on."""
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    workdir, artifacts = tmp_path / "workdir", tmp_path / "artifacts"
    resuming.write_experiment(workdir, config, ("cat", "dog"))
    names = [workdir / "checkpoints" / "step-1.npz", workdir / "metrics.json",
             artifacts / "localizer_int8.tflite", tmp_path / "metrics.json",
             tmp_path / "vgg16.weights.h5"]  # fmt: skip
    for path in names:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{path} is an input")
    return {
        "CONFIG": shutil.copy(REPO / "configs" / "demo.py", tmp_path / "mine.py"),
        "PHOTOS": photo_folder,
        "WORKDIR": workdir,
        "ARTIFACTS": artifacts,
        "FILE": tmp_path / "metrics.json",
        "WEIGHTS": tmp_path / "vgg16.weights.h5",
        "NEW": tmp_path / "new.json",
    }


def hashes(folder: Path) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(("args", "read", "name"), [*CASES, CLIENT])
def test_an_output_on_an_input_is_refused(
    monkeypatch, capsys, places, tmp_path, args, read, name
):
    """Where only the folder can be named, the name in it is a link to the input."""

    def placed(text: str) -> str:
        for word, path in places.items():
            text = text.replace(word, str(path))
        return text

    output = Path(placed(read))
    if name is not None:
        folder = tmp_path / "results"
        folder.mkdir()
        (folder / name).symlink_to(output)
        output = folder
    monkeypatch.syspath_prepend(REPO / "export" / "edge")  # as on a device
    before = hashes(tmp_path)
    module, *rest = [placed(arg).replace("OUT", str(output)) for arg in args]
    assert exit_code_in_process(monkeypatch, module, *rest) == 2
    said = capsys.readouterr().err
    assert hashes(tmp_path) == before
    assert str(output / (name or "")) in only_error_line(said[said.index("error: ") :])
