"""The notebook runs from start to end, and is kept without outputs."""

import json

import pytest

from tests.commands import REPO
from tests.training import narrow

# Before the notebook's training, and arguments of it: it is of full width without.
SHALLOW = """\
from tests.training import narrow
shallow = narrow.shallow_backbone()
shallow.__enter__()
"""
SMALL = f"""
    model__backbone={narrow.NAME!r}, model__width=0.125, model__weights="",
    train__self_training_epochs=1,"""
NOTEBOOK = REPO / "docs" / "notebooks" / "own_photos.ipynb"


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    training = notebook.cells[3]
    assert training.source.count('"photos",') == 1
    small = training.source.replace('"photos",', f'"photos",{SMALL}')
    training.source = SHALLOW + small
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = notebook.cells[5].outputs
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert (tmp_path / "exported" / "localizer_int8.tflite").is_file()
