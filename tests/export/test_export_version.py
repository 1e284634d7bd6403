"""Versions for a model server: complete, numbered, warmed up, and never in the way."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.export.artifacts import saved_models
from bas_tf.export.artifacts.model_card import CARD_FILE
from bas_tf.export.server import server_files, warm_up
from bas_tf.jobs import experiment
from tests.commands import exit_code_in_process, only_error_line
from tests.export import test_server_model

pytestmark = pytest.mark.slow
prediction_log_pb2 = pytest.importorskip(
    "tensorflow_serving.apis.prediction_log_pb2",
    reason="tensorflow-serving-api is missing",
)


@pytest.fixture(scope="module")
def served(demo_workdir, tmp_path_factory) -> Path:
    """A serving folder with version 1, written by the command."""
    folder = tmp_path_factory.mktemp("models") / "bas"
    flags = f"--workdir={demo_workdir}", f"--serving_dir={folder}"
    with pytest.MonkeyPatch.context() as patch:
        assert exit_code_in_process(patch, "export.saved_model", *flags) == 0
    return folder


def test_what_lies_in_the_folder(served, demo_workdir):
    classes = experiment.load_experiment(demo_workdir).class_names
    assert sorted(path.name for path in served.iterdir()) == sorted(
        ["1", server_files.MODELS, server_files.BATCHING, server_files.MONITORING,
         server_files.COMPOSE, server_files.UNIT]
    )  # fmt: skip
    version = served / "1"
    labels = (version / "assets" / names.LABELS_FILE).read_text()
    assert labels.splitlines() == list(classes)
    card = (version / "assets.extra" / CARD_FILE).read_text()
    assert all(name in card for name in classes)
    others = {path.name for path in version.iterdir()}
    assert others >= {"saved_model.pb", "variables", "assets", "assets.extra"}


def test_every_request_of_the_warm_up_runs_in_a_session(served, tmp_path):
    requests = []
    for record in tf.data.TFRecordDataset(str(served / "1" / warm_up.FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "bas"
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        requests.append((request.model_spec.signature_name, inputs))
    asked = {
        (signature, len(next(iter(inputs.values())))) for signature, inputs in requests
    }
    signatures = (
        names.SIGNATURE, names.TENSOR_SIGNATURE, names.CLASS_SIGNATURE,
        names.HEATMAP_SIGNATURE,
    )  # fmt: skip
    assert asked == {(s, n) for s in signatures for n in server_files.WARM_UP_SIZES}
    (tmp_path / "requests").write_bytes(pickle.dumps(requests))
    done = subprocess.run(
        [sys.executable, str(test_server_model.SESSION), str(served / "1"),
         str(tmp_path / "requests"), str(tmp_path / "answers")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = pickle.loads((tmp_path / "answers").read_bytes())
    for (signature, inputs), answer in zip(requests, answers, strict=True):
        assert not isinstance(answer, str), answer
        assert len(answer[names.BOXES]) == len(next(iter(inputs.values())))
        if signature != names.TENSOR_SIGNATURE:
            assert not answer[names.STATUS].any()


def test_the_next_version_and_files_that_an_operator_edited(
    served, demo_workdir, capsys
):
    edited = served / server_files.MODELS
    text = edited.read_text() + "# mine\n"
    edited.write_text(text)
    (served / server_files.COMPOSE).unlink()
    version = saved_models.export_version(demo_workdir, served)
    assert version == served / "2"
    assert edited.read_text() == text
    kept = [line for line in capsys.readouterr().err.splitlines() if "kept" in line]
    assert kept == [f"{edited}: kept, though it differs from a new one"]
    assert (served / server_files.COMPOSE).is_file()
    # The same training: the same answers, the same card and warm-up.
    for name in (warm_up.FILE, f"assets.extra/{CARD_FILE}"):
        assert (version / name).read_bytes() == (served / "1" / name).read_bytes()


def test_a_mistake_leaves_no_version(served, tmp_path, monkeypatch, capsys):
    """No workdir; neither or both of the two flags."""
    before = sorted(path.name for path in served.iterdir())
    into = f"--serving_dir={served}"
    for flags, told in [
        ([into], f"{tmp_path}: no config.json"),
        ([], "one of the two is needed"),
        ([f"--output={tmp_path / 'out'}", into], "one of the two is needed"),
    ]:
        args = (f"--workdir={tmp_path}", *flags)
        assert exit_code_in_process(monkeypatch, "export.saved_model", *args) == 2
        assert told in only_error_line(capsys.readouterr().err)
    assert sorted(path.name for path in served.iterdir()) == before
    assert not list(tmp_path.iterdir())
