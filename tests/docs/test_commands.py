"""Every command that a page names is there, and takes the flags it is given."""

import contextlib
import functools
import importlib.util
import io
import re
import runpy

import pytest

from bas_tf.configs.common import base_config
from tests.commands import REPO, exit_code_in_process
from tests.docs import pages

COMMANDS = [command for page in pages.PAGES for command in pages.commands(page)]
MODULES = sorted({command.module for command in COMMANDS})
# A flag in a line of help, with its value or its colon behind it.
_FLAG = re.compile(r"^\s*(?:-\w,? ?)?--(?:\[no\])?([\w-]+)(?=[:\s,]|$)", re.M)


@functools.cache
def help_of(module: str) -> str:
    """What `python -m module --help` prints; run in this process."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.syspath_prepend(REPO / "export" / "edge")  # whose files import each other
        assert exit_code_in_process(patch, module, "--help") == 0
    return printed.getvalue()


def flags_of(module: str) -> set[str]:
    """The names of a command's flags, without their dashes."""
    return set(_FLAG.findall(help_of(module)))


def config_of(argument: str):
    """The config that `--config=configs/X.py:VARIANT` names."""
    path, _, variant = argument.partition(":")
    return runpy.run_path(str(REPO / path))["get_config"](variant)


@pytest.mark.parametrize("module", MODULES)
def test_commands_exist_and_take_the_flags_that_pages_give_them(module):
    assert is_module(module)
    given = {
        name: command.page
        for command in COMMANDS
        if command.module == module
        for name in command.flags()
        if not name.startswith("config.")
    }
    unknown = {
        name: page
        for name, page in given.items()
        if not {name, name.removeprefix("no")} & flags_of(module)
    }
    assert not unknown


def is_known(config, key: str) -> bool:
    """Whether a config has `group.name`."""
    group, _, name = key.partition(".")
    return group in config and name in config[group]


def is_module(name: str) -> bool:
    """Whether it is a module of ours, as `export.verify`."""
    return importlib.util.find_spec(name) is not None


def test_configs_and_their_keys_exist():
    unknown = []
    for command in COMMANDS:
        given = command.flags()
        # C and configs/X.py stand for a file of the reader's.
        name = given.get("config", "C")
        config = base_config() if name in ("C", "configs/X.py") else config_of(name)
        keys = [key.removeprefix("config.") for key in given if "config." in key]
        unknown += [(command.page, key) for key in keys if not is_known(config, key)]
    assert not unknown


def test_keys_that_pages_name_in_passing_exist():
    """`loss.beta` and the like, in any code span."""
    config = base_config()
    groups = "|".join(config)
    key = re.compile(rf"((?:{groups})\.[a-z_\d]+)(=.*)?")
    named = {
        (page.name, match[1])
        for page in pages.PAGES
        for span in pages.code(page)
        if (match := key.fullmatch(span))
        and not match[1].endswith((".json", ".py", ".yaml"))
    }
    assert len(named) > 50
    unknown = {(page, name) for page, name in named if not is_known(config, name)}
    assert not {(page, name) for page, name in unknown if not is_module(name)}


def test_make_targets_exist():
    makefile = (REPO / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):(?!=)", makefile, re.M))
    for page in pages.PAGES:
        assert pages.make_targets(page) <= targets, page.name


def test_the_pages_commands_are_found():
    """Against a search that finds nothing: the README's table alone has 18."""
    found = {command.module for command in pages.commands(REPO / "WORKSPACE_README.md")}
    assert {"bas_tf.train", "bas_tf.import_weights", "export.verify"} <= found
    assert len(found) >= 18
    with_flags = next(
        command
        for command in pages.commands(REPO / "WORKSPACE_README.md")
        if command.module == "export.tflite"
    )
    assert with_flags.flags()["workdir"] == "W"


def test_a_flag_that_a_command_lacks_is_seen():
    assert {"config", "workdir", "debug"} <= flags_of("bas_tf.train")
    assert "output" not in flags_of("bas_tf.train")
    assert {"output", "threads"} <= flags_of("export.edge.photo")
    assert "quantize" not in flags_of("export.saved_model")
