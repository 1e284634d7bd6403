"""Imports point from higher rooms to lower ones, never sideways or back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
ROOMS = {  # longest prefix wins
    "bas_tf": 0,
    "bas_tf.names": 0,
    "bas_tf.errors": 0,
    "bas_tf.files": 1,
    "bas_tf.tflite_document": 1,
    "bas_tf.lettering": 1,
    "bas_tf.repeatability": 1,
    "bas_tf.ops": 1,
    "bas_tf.geometry": 1,
    "bas_tf.data": 2,
    "bas_tf.models": 2,
    "bas_tf.losses": 2,
    "bas_tf.metrics": 2,
    "bas_tf.inference": 3,
    "bas_tf.runners": 3,
    "bas_tf.visualize": 3,
    "bas_tf.evaluators": 3,
    "bas_tf.training": 3,
    "bas_tf.report": 4,
    "bas_tf.experiment": 4,
    "bas_tf.entry_point": 4,
    "bas_tf.record_check": 4,
    "bas_tf.run_training": 6,
    "bas_tf.run_evaluation": 5,
    "bas_tf.results": 5,
    "bas_tf.run_localization": 5,
    "bas_tf.run_analysis": 5,
    "bas_tf.run_import": 5,
    "bas_tf.run_check": 5,
    "bas_tf.compared_runs": 6,
    "bas_tf.run_comparison": 7,
    "bas_tf.run_ablation": 7,
    "bas_tf.train": 7,
    "bas_tf.evaluate": 7,
    "bas_tf.localize": 7,
    "bas_tf.check_data": 7,
    "bas_tf.data_service": 7,
    "bas_tf.analyze_activation": 7,
    "bas_tf.import_weights": 7,
    "bas_tf.ablate": 8,
    "bas_tf.compare": 8,
    "export": 9,
}


def room_of(module: str) -> str:
    """The longest known prefix of a module's name."""
    fitting = [r for r in ROOMS if module == r or module.startswith(r + ".")]
    return max(fitting, key=len)


def imports_of(path: Path) -> set[str]:
    """Every bas_tf or export module that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bas_tf", "export")}


MODULES = {
    ".".join(path.relative_to(REPO).with_suffix("").parts): path
    for folder in ("bas_tf", "export")
    for path in sorted((REPO / folder).rglob("*.py"))
}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_to_lower_rooms(module):
    room = room_of(module)
    for imported in imports_of(MODULES[module]):
        target = room_of(imported)
        if target != room:
            assert ROOMS[target] < ROOMS[room], f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_own_room(module):
    name = module.removesuffix(".__init__")
    assert name == "bas_tf" or room_of(name) != "bas_tf"


def test_importing_the_package_loads_no_tensorflow():
    script = "import sys, bas_tf; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=REPO).returncode == 0
