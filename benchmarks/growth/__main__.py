r"""How time and memory grow with classes, input size, batch and images.

  python -m benchmarks.growth --output=growth.json [--axes=classes,size,batch,images]

MobileNetV1 with the paper's head, float32, two threads, on fresh weights, at 224
pixels, 1,000 classes and a batch of 8 where the axis is another. Each point runs in a
process of its own, called twice to warm up; times are medians.

  classes   10 to 10,000: training step and inference, ours and the plain port
  size      96 to 448 pixels: the same, ours
  batch     1 to 64 images: the same, ours
  images    1,000 to 1,000,000: the start of a training epoch until its first batch,
            100 batches of 32 tiny pictures, and the judge on stored predictions;
            of the judge the last two points are computed from the exponent

Of every curve the exponent at its upper end: the slope of log time over log axis
between its last two measured points. Beside it stands that of the multiply-adds. About
20 minutes. The JSON and the plot beside it, as PNG, are written after each axis.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import check_choice


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from benchmarks.growth import curves, plot
    from benchmarks.method_speed.plot import path_beside

    axes, output = flags.FLAGS.axes, Path(flags.FLAGS.output)
    plot_path = path_beside(output)
    for axis in axes or [""]:
        check_choice("--axes", axis, curves.AXES)
    found = []
    for axis in axes:
        found += curves.measure_axis(axis, rounds=flags.FLAGS.rounds)
        files.write_json(output, {"curves": found})
        files.write_file(plot_path, plot.growth_png(found))
    print(curves.table(found))


if __name__ == "__main__":
    entry_point.define_path("output", None, "JSON to write.", required=True)
    flags.DEFINE_list("axes", ["classes", "size", "batch", "images"], "What grows.")
    flags.DEFINE_integer("rounds", 5, "Calls that count.", lower_bound=1)
    entry_point.run(main)
