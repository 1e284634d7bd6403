"""adding_a_backbone.md, followed word for word in a copy of the project."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.commands import REPO
from tests.docs import pages

PAGE = REPO / "docs" / "adding_a_backbone.md"
COPIED = ("bas_tf", "export", "configs", "tests")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy with the page's file written and its changes made."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
    for folder in COPIED:
        shutil.copytree(REPO / folder, copy / folder, ignore=ignored)
    shutil.copy(REPO / "pyproject.toml", copy)
    for block in pages.blocks(PAGE):
        if block.language == "python":
            (name,) = re.findall(r"^`(.+)`:$", block.above)
            (copy / name).write_text(block.text)
        elif block.language == "diff":
            apply(block.text, copy)
    return copy


def apply(diff: str, folder) -> None:
    """Makes the changes of a unified diff: each hunk's old lines must be there once."""
    path = folder / re.search(r"^\+\+\+ b/(.*)$", diff, re.M)[1]
    text = path.read_text()
    for hunk in re.split(r"^@@.*@@.*\n", diff, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{path.name} has other lines than\n{old}"
        text = text.replace(old, new)
    path.write_text(text)


@pytest.mark.slow
def test_the_pages_own_tests_pass(project):
    (command,) = [
        line
        for block in pages.blocks(PAGE)
        for line in block.text.splitlines()
        if line.startswith("python -m pytest")
    ]
    done = subprocess.run(
        [sys.executable, *shlex.split(command)[1:], "-p", "no:cacheprovider"],
        cwd=project,
        env=clean_environment(project),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^2 passed", done.stdout.splitlines()[-1].strip("= "))


def clean_environment(project) -> dict[str, str]:
    """Ours, without the paths and workers of this suite."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return {**kept, "PYTHONPATH": str(project)}


def test_the_page_names_every_place_that_lists_backbones():
    """Tests that hold the names in words; a new backbone must be added there."""
    listing = "inception_v3, mobilenet_v1, resnet50, vgg16"
    places = {
        path.relative_to(REPO).as_posix()
        for path in (REPO / "tests").glob("*.py")
        if listing in path.read_text()
    }
    assert places and all(place in PAGE.read_text() for place in places)
