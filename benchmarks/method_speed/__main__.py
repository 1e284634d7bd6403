r"""How fast the method trains and infers here, next to a plain port and PyTorch.

  python -m benchmarks.method_speed --output=bench.json \
      [--backbones=vgg16,mobilenet_v1,resnet50,inception_v3] [--classes=200,1000]

The paper's networks at 224 pixels with fresh weights, float32, on two threads, images
in memory; a training step of 8 images, inference of 1 and of 8. Sides, each in its
own process, one call at a time, alternately:

  ours      the function that the training loop calls; `inference.predict` less its box
  bfloat16  the same, left out where the processor has no instructions for it
  plain     the reference's arithmetic on our layers, see plain_port.py
  torch     the reference's arithmetic in PyTorch, see torch_reference.py; left out
            where torch is not installed
  ceiling   one large matrix product in TensorFlow, float32

Two calls warm up; times are medians over the rounds, ratios and shares of the ceiling
medians of each round's own. `expected` is the reference's multiply-adds over ours, see
flops.py. MiB an image: what the process held at most, less what it held when model,
optimizer and graph were built, over the batch. Nothing else should run: each PyTorch
operation waits for the slowest of its threads, so it suffers most from company.

About 5 minutes a network on two cores. The JSON keeps every call's seconds and is
written after each network, and its plot with it, as PNG.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from benchmarks.method_speed import cases


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from benchmarks.method_speed import figures, measure

    networks = measure.parse_networks(flags.FLAGS.backbones, flags.FLAGS.classes)
    settings = measure.make_settings(flags.FLAGS.rounds)
    rows = measure.measure_all(networks, settings, Path(flags.FLAGS.output))
    if "torch" not in settings["sides"]:
        print("torch is not installed (make torch): its side is left out\n")
    print(figures.speed_table(rows))


if __name__ == "__main__":
    entry_point.define_path("output", None, "JSON to write.", required=True)
    flags.DEFINE_list("backbones", list(cases.BACKBONES), "Networks.")
    flags.DEFINE_list("classes", [str(n) for n in cases.FLAVOURS], "Of each.")
    flags.DEFINE_integer("rounds", 5, "Turns that count.", lower_bound=1)
    entry_point.run(main)
