r"""Images per second of a full ten-crop evaluation, next to the reference's loop.

  python -m benchmarks.evaluation_speed --output=evaluation.json \
      [--backbones=vgg16,mobilenet_v1,resnet50,inception_v3] [--classes=1000]

Protocol `bas` on JPEG files of 500 x 375, 224 pixels, two threads: reading, ten crops,
classes, map, box, IoU. Needs torch (`make torch`). Sides have the same weights and run
alternately, each in its own process, two evaluations to warm up:

  torch     the reference's loop, see torch_loop.py
  ours      `run_evaluation.Evaluator`, what bas_tf.evaluate runs
  bfloat16  the same with eval.ten_crop_precision=mixed_bfloat16

The boxes of all sides are compared. The JSON is written at the end.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError
from benchmarks.method_speed import cases


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from benchmarks.evaluation_speed import sides
    from benchmarks.method_speed import measure, turns

    if "torch" not in turns.sides_here():
        raise UserError(
            "torch is not installed, and is the side to compare with: make torch"
        )
    files.check_place(flags.FLAGS.output)
    networks = measure.parse_networks(flags.FLAGS.backbones, flags.FLAGS.classes)
    rows = []
    for backbone, classes in networks:
        rows.append(sides.measure(backbone, classes, rounds=flags.FLAGS.rounds))
        print(sides.describe(rows[-1]), flush=True)
    files.write_json(Path(flags.FLAGS.output), {"rows": rows})


if __name__ == "__main__":
    entry_point.define_path("output", None, "JSON to write.", required=True)
    flags.DEFINE_list("backbones", list(cases.BACKBONES), "Networks.")
    flags.DEFINE_list("classes", ["1000"], "Of each.")
    flags.DEFINE_integer("rounds", 5, "Turns that count.", lower_bound=1)
    entry_point.run(main)
