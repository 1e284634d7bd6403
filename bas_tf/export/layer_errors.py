r"""Says per layer where an int8 file departs from the float32 one of its workdir.

  python -m export.layer_errors --workdir=runs/demo \
      --artifact=runs/demo/export/localizer_int8.tflite --output=layers.json

Both files run on calibration images with every tensor kept. A layer's SNR is of all the
noise that has come together up to its output; `lost` is how far it is below that of its
worst input, and so the layer's own part. Below the table stand the float islands: the
operators of the file that compute in floating point.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.export.litert import operators as tflite_operators
from bas_tf.export.litert import quantization_errors


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files, tflite_document
    from bas_tf.jobs import experiment, output_check

    files.check_place(flags.FLAGS.output)
    path = Path(flags.FLAGS.artifact)
    loaded = experiment.load_experiment(flags.FLAGS.workdir)
    output_check.check_outputs(
        [flags.FLAGS.output],
        models=[flags.FLAGS.workdir, path],
        config=loaded.config,
    )
    document = tflite_document.read_tflite_document(path)
    quantization_errors.check_artifact(path, document, loaded)
    content = path.read_bytes()
    examples = quantization_errors.calibration_examples(loaded, document)
    rows = quantization_errors.measure(
        content, quantization_errors.float_file(loaded, document), examples
    )
    islands = tflite_operators.float_islands(content)
    files.write_json(
        flags.FLAGS.output,
        {"artifact": str(path), "rows": rows, "float_islands": islands},
    )
    print(
        f"{quantization_errors.format_rows(rows)}\n\n{quantization_errors.format_islands(islands)}"
    )


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("artifact", None, "An int8 file of it.", required=True)
    entry_point.define_path("output", None, "JSON to write.", required=True)
    entry_point.run(main)
