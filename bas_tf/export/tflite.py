r"""Exports a trained localizer as TFLite (LiteRT) files.

  python -m export.tflite --workdir=runs/demo --output=runs/demo/export \
      --quantize=none --quantize=int8

Writes localizer_<quantization>.tflite; --any_size, --given_class and --no_boxes write
additional files. --refine=pamr writes localizer_<quantization>_pamr.tflite instead, in
which boxes follow the colours.
"""

from absl import flags

from bas_tf import entry_point
from bas_tf.export.litert import conversion


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    variants = [
        name
        for name in conversion.PREFIXES
        if name == "full" or flags.FLAGS[name].value
    ]
    for path in conversion.export_tflite(
        flags.FLAGS.workdir,
        flags.FLAGS.output,
        flags.FLAGS.quantize,
        variants=tuple(variants),
        input_type=flags.FLAGS.input_type,
        refine=flags.FLAGS.refine,
        data_root=flags.FLAGS.data_root,
    ):
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    entry_point.define_path(
        "data_root", None, "Where the training images for int8 are, if they were moved."
    )
    flags.DEFINE_multi_enum(
        "quantize",
        ["none"],
        list(conversion.QUANTIZATIONS),
        "Repeat the flag for several files.",
    )
    flags.DEFINE_bool(
        "any_size",
        False,
        "Also write files that take frames of any size and resize them in the graph.",
    )
    flags.DEFINE_bool(
        "given_class",
        False,
        "Also write files without classifier, which take a class and localize that.",
    )
    flags.DEFINE_bool(
        "no_boxes", False, "Also write files that leave the box to the host."
    )
    flags.DEFINE_enum(
        "input_type",
        "uint8",
        conversion.INPUT_TYPES,
        "Type of the image input; int8 is the pixel minus 128.",
    )
    flags.DEFINE_enum(
        "refine",
        "none",
        conversion.REFINEMENTS,
        "Boxes of maps whose edges follow the image's colours, in the graph.",
    )
    entry_point.run(main)
