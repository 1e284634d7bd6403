r"""Judges a model or an exported file by a localization protocol.

  python -m bas_tf.evaluate --model=runs/demo --config=configs/demo.py --split=test \
      --protocol=bas --output=metrics.json

--model takes a training workdir, a SavedModel folder or a .tflite file.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import run_evaluation

    config = entry_point.config()
    judged = run_evaluation.judge_model(
        flags.FLAGS.model,
        config,
        split=flags.FLAGS.split,
        config_name=entry_point.config_name(),
    )
    run_evaluation.write_metrics(judged, Path(flags.FLAGS.output))
    print(run_evaluation.describe(judged))


if __name__ == "__main__":
    entry_point.define_config_flag()
    flags.DEFINE_string(
        "model", None, "A workdir, a SavedModel or a .tflite file.", required=True
    )
    flags.DEFINE_string("split", "test", "The split to judge on.")
    flags.DEFINE_enum("protocol", "bas", ["bas"], "Evaluation protocol.")
    flags.DEFINE_string("output", "metrics.json", "The file to write.")
    entry_point.run(main)
