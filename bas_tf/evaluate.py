r"""Evaluates a model or an exported file with a localization protocol.

  python -m bas_tf.evaluate --model=runs/demo --config=configs/demo.py --split=test \
      --protocol=bas --output=metrics.json

--model takes a workdir, a SavedModel folder, a .tflite or .onnx file. Protocols:

  bas         the paper's: resize, centre crop, largest component, IoU > 0.5, means
              over images and (_class_mean, as in its tables) over classes; extension/
              is the journal version's IoU >= 0.5
  maxboxacc   Choe et al. 2020: MaxBoxAcc and MaxBoxAccV2, no crop, contours, IoU >= 0.5
  pxap        Choe et al. 2020: PxAP and peak pixel IoU, and the journal
              extension's PIoU; needs true masks

An exported file cuts its boxes at the threshold it was exported with; a config with
another is refused. Numbers of different protocols are not comparable. For each figure
metrics.json records whose map it evaluates, the threshold and how it was chosen, and a
95 % interval; thresholds chosen on the evaluated split are "oracle". --per_image writes
one line per image at the one threshold.
"""

from pathlib import Path

from absl import flags

from bas_tf import box_flags, entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.jobs import evaluation, output_check, results

    config = entry_point.config()
    for key in ("refine", "views"):
        if flags.FLAGS[key].value is not None:
            config.eval[key] = flags.FLAGS[key].value
    output_check.check_outputs(
        filter(None, (flags.FLAGS.output, flags.FLAGS.per_image)),
        models=[flags.FLAGS.model],
        config=config,
        splits=[flags.FLAGS.split],
        others=[entry_point.config_file()],
    )
    evaluated = evaluation.evaluate_model(
        flags.FLAGS.model,
        config,
        split=flags.FLAGS.split,
        config_name=entry_point.config_name(),
        protocol=flags.FLAGS.protocol,
        on_bad_image=flags.FLAGS.on_bad_image,
        skipped_dir=Path(flags.FLAGS.output).parent,
    )
    files.write_json(flags.FLAGS.output, evaluated.document)
    if flags.FLAGS.per_image:
        results.write_per_image(evaluated, Path(flags.FLAGS.per_image))
    print(results.describe(evaluated))


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    box_flags.define_model_flag()
    flags.DEFINE_string("split", "test", "The split to evaluate on.")
    flags.DEFINE_enum(
        "protocol", "bas", ["bas", "maxboxacc", "pxap"], "The evaluation protocol."
    )
    entry_point.define_path("output", "metrics.json", "The file to write.")
    entry_point.define_path(
        "per_image", None, "A CSV file to write, one line per image."
    )
    box_flags.define_refine_flag("the config's eval.refine")
    box_flags.define_views_flag("the config's eval.views")
    entry_point.run(main)
