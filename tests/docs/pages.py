"""What the pages of the handbook hold: links, headings, code, commands."""

import dataclasses
import functools
import re
import shlex
import textwrap
from pathlib import Path

from tests.commands import REPO

PAGES = tuple(
    sorted(
        [
            REPO / "README.md",
            REPO / "WORKSPACE_README.md",
            REPO / "CONTRIBUTING.md",
            *(REPO / "docs").glob("*.md"),
        ]
    )
)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.M | re.S)
_COMMAND = re.compile(
    r"\bpython -m ((?:bas_tf|export|benchmarks|docs)[\w.]*)([^|;&>)]*)"
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language ("" for none), its text, the line above it."""

    language: str
    text: str
    above: str


@dataclasses.dataclass(frozen=True)
class Command:
    """`python -m module args`, as a page has it."""

    page: str
    module: str
    args: tuple[str, ...]

    def flags(self) -> dict[str, str]:
        """{flag without dashes: value, "" for none} of the arguments."""
        pairs = (arg[2:].partition("=") for arg in self.args if arg.startswith("--"))
        return {name: value for name, _, value in pairs}


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        lines = text[: match.start()].strip().splitlines()
        above = lines[-1] if lines else ""
        found.append(Block(match[2], textwrap.dedent(match[3]), above))
    return found


def code(page: Path) -> list[str]:
    """Everything set as code: fenced blocks and `spans`, line breaks joined."""
    text = page.read_text()
    spans = re.findall(r"`([^`]+)`", _FENCE.sub("", text))
    fenced = [
        re.sub(r"(^|\s)#.*$", "", block.text.replace("\\\n", " "), flags=re.M)
        for block in blocks(page)
    ]
    return [" ".join(span.split()) for span in spans] + fenced


def commands(page: Path) -> list[Command]:
    """Every command of ours in a page's code."""
    return [
        Command(page.name, module, tuple(shlex.split(_without_brackets(args))))
        for text in code(page)
        for line in text.splitlines()
        for module, args in _COMMAND.findall(line)
    ]


def _without_brackets(text: str) -> str:
    """Usage lines put what may be left out in brackets."""
    return text.replace("[", " ").replace("]", " ")


def make_targets(page: Path) -> set[str]:
    """Every target that a page's code asks make for."""
    return {name for text in code(page) for name in re.findall(r"\bmake (\w+)", text)}


@functools.cache
def anchors(page: Path) -> set[str]:
    """What a link may name behind #: the headings, as GitHub writes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.M):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while anchor + f"-{number}" * bool(number) in found:
            number += 1
        found.add(anchor + f"-{number}" * bool(number))
    return found


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures, those of the web left out."""
    text = re.sub(r"`[^`]*`", "", _FENCE.sub("", page.read_text()))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"https?://|mailto:", link)]
