r"""Shows, layer by layer, where an int8 file deviates from float32.

  python -m export.layer_errors --workdir=runs/demo \
      --artifact=runs/demo/export/localizer_int8.tflite --output=layers.json

Both files, int8 and the float32 one of the same workdir, run on calibration images and
keep all tensors. A layer's SNR includes all noise accumulated up to its output; `lost`
is how far it is below the SNR of its worst input, i.e. the layer's own contribution.
Below the table are the float islands: operators of the file that compute in floating
point.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.export.litert import operators as tflite_operators
from bas_tf.export.litert import quantization_errors


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.jobs import experiment, output_check
    from bas_tf.runners import tflite_document

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
    entry_point.define_path(
        "artifact", None, "An int8 file exported from it.", required=True
    )
    entry_point.define_path("output", None, "The JSON file to write.", required=True)
    entry_point.run(main)
