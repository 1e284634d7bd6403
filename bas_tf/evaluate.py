"""Judges a model or an exported file by a localization protocol.

  python -m bas_tf.evaluate --model=runs/demo --config=configs/demo.py --split=test \
      --protocol=bas --output=metrics.json

--model takes a training workdir, a SavedModel folder or a .tflite file.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point

_CONFIG = entry_point.define_config_flag()
_MODEL = flags.DEFINE_string(
    "model", None, "A workdir, a SavedModel folder or a .tflite file.", required=True
)
_SPLIT = flags.DEFINE_string("split", "test", "The split to judge on.")
_PROTOCOL = flags.DEFINE_enum("protocol", "bas", ["bas"], "Evaluation protocol.")
_OUTPUT = flags.DEFINE_string("output", "metrics.json", "The file to write.")


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import run_evaluation

    config = _CONFIG()
    judged = run_evaluation.judge_model(_MODEL.value, config, split=_SPLIT.value)
    run_evaluation.write_metrics(judged, Path(_OUTPUT.value))
    print(run_evaluation.describe(judged))


if __name__ == "__main__":
    entry_point.run(main)
