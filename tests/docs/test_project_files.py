"""The citation, the hooks and the changelog agree with the project."""

import re
import tomllib

import yaml

import bas_tf
from tests.commands import REPO

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def test_the_citation_names_the_paper_and_this_version():
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()  # CFF asks for these
    assert citation["version"] == bas_tf.__version__
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Wu", "Zhai", "Cao"] and paper["year"] == 2022
    assert "Background Activation Suppression" in paper["title"]


def test_the_hooks_are_local_and_run_what_make_lint_runs():
    hooks = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text())
    (local,) = hooks["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    run = {" ".join(hook["entry"].split()[:2]) for hook in local["hooks"]}
    recipe = re.search(
        r"^lint:.*\n((?:\t.*\n)+)", (REPO / "Makefile").read_text(), re.M
    )
    checked = re.findall(r"\$\(BIN\)/(ruff \w+)", recipe[1])
    assert run == {f".venv/bin/{command}" for command in checked}


def test_the_changelog_has_this_version():
    changelog = (REPO / "CHANGELOG.md").read_text()
    assert bas_tf.__version__ in changelog
    assert re.findall(r"^## (.*)$", changelog, re.M)[0] == "Unreleased"
