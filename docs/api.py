"""Writes docs/api.md: every public class and function with its first lines.

  python -m docs.api          (make docs)

The source is read, not imported: no TensorFlow, no side effects. Names that start with
an underscore are left out, and so is the `main` of a command, which `--help` describes.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bas_tf import entry_point, files

REPO = Path(__file__).parent.parent
PAGE = REPO / "docs" / "api.md"
PACKAGES = ("bas_tf", "export")
HEAD = """# API

Written by `make docs` from the docstrings; do not edit it here. The first lines of
each public class and function: shapes, dtypes, ranges and errors stand in the docstring
itself. Commands answer `--help`.
"""

KERAS_METHODS = ("build", "call", "compute_output_shape", "get_config")
Callables = ast.FunctionDef | ast.AsyncFunctionDef


def api_page() -> str:
    """The whole page as Markdown."""
    sections, contents = [], []
    for path in public_modules():
        name = ".".join(path.relative_to(REPO).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        section = module_section(name, ast.parse(path.read_text(encoding="utf-8")))
        if section:
            sections.append(section)
            contents.append(f"- [`{name}`](#{name.replace('.', '')})")
    return "\n".join([HEAD, *contents, "", *sections])


def public_modules() -> Iterator[Path]:
    """The source files of both packages, in the order of their names."""
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            is_public = not path.stem.startswith("_") or path.stem == "__init__"
            if is_public and "node_modules" not in path.parts:
                yield path


def module_section(name: str, module: ast.Module) -> str:
    """A module's heading, docstring and members; "" where it has nothing public."""
    members = [
        node
        for node in module.body
        if isinstance(node, Callables | ast.ClassDef)
        and not node.name.startswith("_")
        and node.name != "main"
    ]
    if not members:
        return ""
    lines = [f"## {name}", "", first_paragraph(module), ""]
    for member in members:
        lines += class_entry(member) if is_class(member) else [entry(member)]
    return "\n".join([*lines, ""])


def is_class(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


def first_paragraph(node: ast.AST) -> str:
    """The docstring up to its first empty line, as a line of Markdown; "" without."""
    text = ast.get_docstring(node) or ""
    prose = " ".join(text.split("\n\n")[0].split()).split("`")
    prose[::2] = [re.sub(r"[*<]", r"\\\g<0>", part) for part in prose[::2]]
    return "`".join(prose)


def class_entry(node: ast.ClassDef) -> list[str]:
    """Lines for a class: how it is made, what it is, its public methods."""
    methods = [item for item in node.body if isinstance(item, Callables)]
    made = next((m for m in methods if m.name == "__init__"), None)
    arguments = parameters(made) if made else ", ".join(fields(node))
    return [
        item(f"class {node.name}({arguments})", first_paragraph(node)),
        *(
            f"  {entry(method)}"
            for method in methods
            if not method.name.startswith("_") and method.name not in KERAS_METHODS
        ),
    ]


def fields(node: ast.ClassDef) -> Iterator[str]:
    """The fields of a dataclass as it takes them."""
    for field in node.body:
        if isinstance(field, ast.AnnAssign):
            yield ast.unparse(field)


def entry(node: Callables) -> str:
    """The line of a function."""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return item(f"{node.name}({parameters(node)}){returned}", first_paragraph(node))


def item(signature: str, told: str) -> str:
    """A line of a list."""
    return f"- `{signature}`" + f": {told}" * bool(told)


def parameters(node: Callables) -> str:
    """The arguments as written, without `self` and `cls`."""
    text = ast.unparse(node.args)
    first, _, rest = text.partition(", ")
    return rest if first in ("self", "cls") else text


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    files.write_file(PAGE, api_page().encode())
    print(PAGE)


if __name__ == "__main__":
    entry_point.run(main, loads_tensorflow=False)
