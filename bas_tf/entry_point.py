"""Entry point of every command: parses flags and reports user errors in one line."""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

from bas_tf import configs
from bas_tf.configs.common import PATH_KEYS
from bas_tf.errors import UserError, one_line

EXIT_USER_ERROR = 2
HELP_FLAGS = {"--help", "-help", "-h"}
# Commands and config keys of earlier versions, and what replaces them.
REMOVED = {
    "bas_tf.data_service": "every training reads its own batches",
    "data.service": "every training reads its own batches; leave it out",
    "train.quantization_aware": "it gained nothing; int8 files are calibrated",
}

_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")
flags.disclaim_key_flags()  # what is defined or declared below is the command's own


def define_config_flag() -> None:
    """Defines --config, a file of configs/ whose keys can be overridden."""
    config_flags.DEFINE_config_file(
        "config",
        None,
        "A shipped config, as demo or demo:VARIANT, or a file of your own.",
    )


class _PathParser(flags.ArgumentParser):
    """Expands ~, which a shell leaves alone after an equals sign."""

    syntactic_help = "a path"

    def parse(self, argument: str) -> str:
        return os.path.expanduser(argument)


def define_path(name: str, default: str | None, help_text: str, **kwargs) -> None:
    """Like `flags.DEFINE_string`, for a file or folder; ~ is expanded."""
    serializer = flags.ArgumentSerializer()
    flags.DEFINE(
        _PathParser(), name, default, help_text, serializer=serializer, **kwargs
    )


def define_bad_image_flag() -> None:
    """Defines --on_bad_image, for commands that read a split of the data."""
    flags.DEFINE_enum(
        "on_bad_image",
        "error",
        ["error", "skip"],
        "On an image that cannot be read: error stops the command; skip leaves it out, "
        "with a warning and a list in skipped_images_<split>.txt next to the results. "
        "skip reads every image once before the work begins.",
    )


class _ReadConfig(flags.ArgumentParser):
    """Hands ml_collections the config of `_read_config`."""

    def __init__(self, config):
        self._config = config

    def parse(self, _: str):
        return self._config.lock()


def config():
    """The ConfigDict of --config and its overrides; ~ is expanded in its paths.

    Raises:
      UserError: --config is missing.
    """
    config = flags.FLAGS.config
    if config is None:
        raise UserError("--config is missing; name one such as demo, or a file")
    for path in PATH_KEYS:
        group, key = path.split(".")
        config[group][key] = os.path.expanduser(config[group][key])
    return config


def config_file() -> str:
    """The file that --config names, a shipped one by its path."""
    return str(configs.find_config(config_name().partition(":")[0]))


def config_name() -> str:
    """The --config argument as given, for the record."""
    name = ""
    for arg, following in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        flag, equals, value = arg.partition("=")
        if flag in ("--config", "-config"):
            name = value if equals else following
    return name


def run_removed(command: str) -> None:
    """Stands in for a removed command: one line that says so."""

    def main(_: list[str]) -> None:
        raise UserError(f"python -m {command} was removed: {REMOVED[command]}")

    flags.FLAGS(sys.argv[:1])
    _guarded(main, [], loads_tensorflow=False)


def run(main: Callable[[list[str]], None], *, loads_tensorflow: bool = True) -> None:
    """Runs a command.

    Exit codes: 0 for success, 2 for a user error in flags, files or settings
    (one line on standard error; `--debug` shows the traceback), 1 for anything else.

    Args:
      main: takes the positional arguments.
      loads_tensorflow: imports it before `main`, quietly; False leaves it to `main`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # only errors of the runtime
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    sys.argv = [_with_home(argument) for argument in sys.argv]
    # File names may not be valid text: print them as standard error does.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if HELP_FLAGS & set(sys.argv[1:]):
        flags.declare_key_flag("debug")
        print(sys.modules["__main__"].__doc__)
        print(flags.FLAGS.main_module_help())
        sys.exit(0)
    try:
        app.run(
            lambda argv: _guarded(main, argv[1:], loads_tensorflow),
            flags_parser=_parse_flags,
        )
    except KeyboardInterrupt:
        sys.exit(130)


def _with_home(argument: str) -> str:
    """Expands the ~ of --config=~/FILE, which is read before flags are parsed."""
    flag, equals, value = argument.partition("=")
    if flag not in ("--config", "-config"):
        return argument
    return f"{flag}{equals}{os.path.expanduser(value)}"


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        if config_name() and "config" in flags.FLAGS:
            flags.FLAGS["config"].parser = _ReadConfig(_read_config(argv))
        return flags.FLAGS(argv)
    except (UserError, flags.Error) as error:
        if "--debug" in argv:
            raise
        _exit(error)


def _guarded(
    main: Callable[[list[str]], None], args: list[str], loads_tensorflow: bool
) -> None:
    logging.use_absl_handler()
    logging.get_absl_handler().addFilter(_is_for_the_user)
    try:
        if loads_tensorflow:
            load_tensorflow()
        main(args)
    except UserError as error:
        if _DEBUG.value:
            raise
        _exit(error)


def load_tensorflow() -> None:
    """Imports it and suppresses its startup messages, which ignore every log level."""
    with _held_back_stderr():
        import tensorflow  # noqa: F401


def _is_for_the_user(record) -> bool:
    """Drops TensorFlow's notes on how it saves files; warnings stay."""
    is_note = record.levelno < logging.converter.STANDARD_WARNING
    return not (is_note and "tensorflow" in Path(record.pathname).parts)


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Buffers what the process writes to standard error; shows it only after an error.

    Works on the file descriptor, since C++ code writes there directly.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _exit(error: BaseException) -> None:
    line = f"error: {one_line(error)}"
    tqdm.write(line, file=sys.stderr)  # its own line next to a progress bar
    sys.exit(EXIT_USER_ERROR)


def _read_config(argv: list[str]):
    """Reads the file of --config; an override of an unknown key is a UserError."""
    config = configs.read_config(config_name(), argument="--config")
    _check_removed_keys(config)
    for arg in argv:
        if match := re.match(r"--?config\.([\w.]+)", arg):
            _check_key(config, match[1])
    return config


def _check_removed_keys(config) -> None:
    """Refuses a config that sets a removed key, which would otherwise be ignored."""
    for key in REMOVED:
        group, _, name = key.partition(".")
        if config.get(group, {}).get(name):
            raise UserError(f"config.{key} was removed: {REMOVED[key]}")


def _check_key(config, key: str) -> None:
    if key in REMOVED:
        raise UserError(f"--config.{key} was removed: {REMOVED[key]}")
    node, seen = config, "config"
    for part in key.split("."):
        if not hasattr(node, "keys") or part not in node:
            known = ", ".join(sorted(node.keys())) if hasattr(node, "keys") else "none"
            raise UserError(f"--config.{key}: unknown key; {seen} has: {known}")
        node, seen = node[part], f"{seen}.{part}"


def refuse_arguments(args: list[str]) -> None:
    """For commands that take only flags."""
    if args:
        raise UserError(f"unexpected argument {args[0]!r}; see --help")
