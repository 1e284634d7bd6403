"""The lines that troubleshooting.md quotes are lines that the code can print."""

import ast
import re
from pathlib import Path

import pytest

from tests.commands import REPO
from tests.docs import pages

PAGE = REPO / "docs" / "troubleshooting.md"
QUOTED = [
    line.removeprefix("error: ")
    for block in pages.blocks(PAGE)
    if block.language == "text"
    for line in block.text.strip().splitlines()
]
FEWEST_LETTERS = 12  # of what a message says whatever its values are
_FORMAT = re.compile(r"%[-\d.]*[sdrfg]")


def template_of(node: ast.AST) -> str | None:
    """A pattern of what a text of the source becomes; None for another node."""
    if isinstance(node, ast.JoinedStr):
        parts = [
            re.escape(part.value) if isinstance(part, ast.Constant) else ".*"
            for part in node.values
        ]
        letters = sum(len(p.value) for p in node.values if isinstance(p, ast.Constant))
        return "".join(parts) if letters >= FEWEST_LETTERS else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        fixed = _FORMAT.split(node.value.partition("\n")[0])
        if sum(map(len, fixed)) >= FEWEST_LETTERS:
            return ".*".join(map(re.escape, fixed))
    return None


def templates_of(path: Path) -> set[str]:
    """The patterns of every text of a source file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {found for node in nodes if (found := template_of(node))}


@pytest.fixture(scope="module")
def templates() -> list[re.Pattern]:
    found: set[str] = set()
    for package in ("bas_tf", "export"):
        for path in (REPO / package).rglob("*.py"):
            found |= templates_of(path)
    return [re.compile(text) for text in found]


@pytest.mark.parametrize("line", QUOTED)
def test_a_quoted_line_is_one_that_is_printed(line, templates):
    assert any(template.fullmatch(line) for template in templates)


def test_there_are_lines_to_look_for():
    assert len(QUOTED) >= 30


def test_each_symptom_of_the_list_has_its_section_and_no_other():
    text = PAGE.read_text()
    listed = re.findall(r"^- \[.*\]\(#(.*)\)$", text, re.M)
    sections = re.findall(r"^## (.*)$", text, re.M)
    assert len(listed) == len(set(listed)) == len(sections)
