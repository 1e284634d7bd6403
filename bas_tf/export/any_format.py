"""Exports a trained workdir to one or several formats.

bas-tf export --format=int8 --format=onnx --workdir=runs/demo --output=exported
"""

from absl import flags

from bas_tf import entry_point
from bas_tf.export import formats


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    for path in formats.export_formats(
        flags.FLAGS.workdir,
        flags.FLAGS.output,
        flags.FLAGS.format,
        data_root=flags.FLAGS.data_root,
    ):
        print(path)


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    entry_point.define_path(
        "data_root", None, "Where int8's training images lie, if they have been moved."
    )
    flags.DEFINE_multi_enum(
        "format", ["int8"], formats.FORMATS, "Repeat for several files."
    )
    entry_point.run(main)
