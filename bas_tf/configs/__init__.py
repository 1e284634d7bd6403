"""Experiments: data only. `get_config(variant)` of each returns a ConfigDict."""

import runpy
from pathlib import Path

from ml_collections import ConfigDict

from bas_tf.errors import UserError

FOLDER = Path(__file__).parent


def find_config(name: str) -> Path:
    """A config file of the user's, or else the shipped one of this name.

    `configs/NAME.py` names a shipped one too, from any folder, also one of
    `configs/paper/`.
    """
    path = Path(name)
    if path.is_file() or str(path.parent) not in (".", "configs", "configs/paper"):
        return path
    file = f"{path.name.removesuffix('.py')}.py"
    of_paper = FOLDER / "paper" / file
    return of_paper if of_paper.is_file() else FOLDER / file


def read_config(name: str, *, argument: str) -> ConfigDict:
    """Runs a config file.

    Args:
      name: a shipped config or a file, as "demo", "demo:VARIANT" or "mine/own.py".
      argument: what the name was given as, for errors.

    Raises:
      UserError: no such file, or not a config.
    """
    path, _, variant = name.partition(":")
    try:
        defined = runpy.run_path(str(find_config(path)))
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in FOLDER.rglob("[!_]*.py")))
        raise UserError(
            f"{argument}={path}: no such file, and none of the shipped configs: {known}"
        ) from error
    except (OSError, ImportError, NameError, SyntaxError) as error:
        raise UserError(f"{argument}={path}: not a config file ({error})") from error
    if "get_config" not in defined:
        raise UserError(f"{argument}={path}: defines no get_config")
    config = defined["get_config"](variant)
    if not isinstance(config, ConfigDict):
        raise UserError(f"{argument}={path}: get_config returns no ConfigDict")
    return config
