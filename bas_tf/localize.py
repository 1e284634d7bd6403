"""Finds the object in photos: overlay PNGs and boxes.json, in original pixels.

  python -m bas_tf.localize --model=runs/demo --output=DIR IMAGE [IMAGE...]

No label is needed; --class localizes a given one (workdirs only).
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError


def main(args: list[str]) -> None:
    if not args:
        raise UserError("no IMAGE given; see --help")
    from bas_tf import run_localization

    paths, output = [Path(arg) for arg in args], Path(flags.FLAGS.output)
    run_localization.localize_photos(
        flags.FLAGS.model, paths, output, class_name=flags.FLAGS["class"].value
    )
    print(f"{output}: {len(paths)} overlays and {run_localization.BOXES_FILE}")


if __name__ == "__main__":
    flags.DEFINE_string(
        "model",
        None,
        "A workdir, a SavedModel, a .tflite or .onnx file.",
        required=True,
    )
    flags.DEFINE_string("output", None, "The folder to write to.", required=True)
    flags.DEFINE_string("class", None, "Localize this class, predicted or not.")
    entry_point.run(main)
