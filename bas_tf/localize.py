"""Finds the object in photos: overlay PNGs and boxes.json, in original pixels.

  python -m bas_tf.localize --model=runs/demo --output=DIR IMAGE [IMAGE...]

No label is needed; --class localizes a given one (workdirs only).
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError

_MODEL = flags.DEFINE_string(
    "model", None, "A workdir, a SavedModel folder or a .tflite file.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "The folder to write to.", required=True)
_CLASS = flags.DEFINE_string("class", None, "Localize this class, predicted or not.")


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no IMAGE given; see --help")
    from bas_tf import run_localization

    paths = [Path(arg) for arg in args]
    run_localization.localize_photos(
        _MODEL.value, paths, Path(_OUTPUT.value), class_name=_CLASS.value
    )


if __name__ == "__main__":
    entry_point.run(main)
