"""Imports point from higher rooms to lower ones, never sideways or back."""

import ast
from pathlib import Path

REPO = Path(__file__).parent.parent
# A room is a folder, or the files that stand next to the rooms. Each imports from the
# lines above it; rooms of one line know nothing of each other.
LEVELS = """
bas_tf.errors  bas_tf.names
bas_tf.configs
bas_tf.files  bas_tf.ops  bas_tf.geometry  bas_tf.losses
bas_tf.data  bas_tf.models  bas_tf.metrics
bas_tf.inference  bas_tf.runners  bas_tf.evaluators  bas_tf.training
bas_tf.entry_point
bas_tf.box_flags
bas_tf.refinement
bas_tf.report
bas_tf.jobs
bas_tf.segmentation  bas_tf.annotation
bas_tf.self_training
bas_tf.analysis  bas_tf.comparison  bas_tf.export.client
bas_tf.export.server
bas_tf.export.artifacts
bas_tf.export.litert
bas_tf.export.evaluation  bas_tf.export.web
bas_tf.export
bas_tf
export
"""
LEVEL_OF = {
    room: level
    for level, rooms in enumerate(LEVELS.strip().split("\n"))
    for room in rooms.split()
}
MODULES = {
    ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for folder in ("bas_tf", "export")
    for path in sorted((REPO / folder).rglob("*.py"))
    if "node_modules" not in path.parts
}


def room_of(module: str) -> str:
    """The longest known prefix of a module's name."""
    fitting = [r for r in LEVEL_OF if module == r or module.startswith(r + ".")]
    return max(fitting, key=len)


def imports_of(path: Path) -> set[str]:
    """Every bas_tf or export module that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bas_tf", "export")}


def test_imports_point_to_lower_rooms():
    wrong = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        for imported in sorted(imports_of(path) - {"bas_tf"})
        if (target := room_of(imported)) != (room := room_of(module))
        and LEVEL_OF[target] >= LEVEL_OF[room]
    ]
    assert not wrong


def test_no_room_and_no_file_is_crowded():
    for folder in {path.parent for path in MODULES.values()}:
        limit = 20 if folder == REPO / "bas_tf" else 15
        assert len(list(folder.glob("*.py"))) <= limit, folder
    for path in MODULES.values():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
