"""Latencies: one process a file; what a file that cannot be run says."""

import json
import shutil

import pytest

from bas_tf.export.evaluation import timing
from tests.commands import exit_code_in_process, only_error_line

pytestmark = pytest.mark.slow
FILES = ("saved_model", "tflite_float32", "tflite_int8", "onnx")


def test_every_file_is_measured(demo_workdir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(timing, "ROUNDS", 1)
    output = tmp_path / "bench.json"
    command = (
        "export.benchmark", f"--artifacts={demo_workdir / 'export'}",
        f"--output={output}", "--num_threads=1",
    )  # fmt: skip
    assert exit_code_in_process(monkeypatch, *command) == 0
    document = json.loads(output.read_text())
    assert document["num_threads"] == 1
    rows = {row["name"]: row for row in document["rows"]}
    assert set(rows) == set(FILES)
    printed = capsys.readouterr().out
    for name, row in rows.items():
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["load_seconds"] > 0 and row["first_seconds"] > 0
        assert name in printed
    # What TensorFlow loads is not counted to LiteRT.
    assert rows["tflite_int8"]["peak_memory_bytes"] < 150 * 2**20
    assert rows["saved_model"]["peak_memory_bytes"] > 300 * 2**20


def test_a_file_that_cannot_be_run_is_named(
    demo_workdir, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "artifacts"
    folder.mkdir()
    content = (demo_workdir / "export" / "localizer_int8.tflite").read_bytes()
    (folder / "localizer_int8.tflite").write_bytes(content[: len(content) // 2])
    shutil.copy(demo_workdir / "export" / "localizer.onnx", folder)
    code = exit_code_in_process(
        monkeypatch, "export.benchmark", f"--artifacts={folder}",
        f"--output={tmp_path / 'bench.json'}",
    )  # fmt: skip
    assert code == 2
    line = only_error_line(capsys.readouterr().err)
    assert str(folder / "localizer_int8.tflite") in line
    assert not (tmp_path / "bench.json").exists()
