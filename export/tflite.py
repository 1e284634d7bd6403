r"""Exports a trained localizer as TFLite (LiteRT) files.

  python -m export.tflite --workdir=runs/demo --output=runs/demo/export \
      --quantize=none --quantize=int8
"""

import tempfile
from pathlib import Path

from absl import flags

from bas_tf import entry_point, files
from bas_tf.errors import UserError
from bas_tf.names import LABELS_FILE, SIGNATURE

QUANTIZATIONS = {
    "none": "localizer_float32.tflite",
    "float16": "localizer_float16.tflite",
    "dynamic": "localizer_dynamic.tflite",
    "int8": "localizer_int8.tflite",
}


def export_tflite(
    workdir: str | Path, output: str | Path, quantizations: list[str]
) -> list[Path]:
    """Writes one file for each quantization, and labels.txt beside them.

    Each has its labels and all that `metadata.model_document` says of it inside, and
    the same document beside it: FILE.json.

    Signature `serving_default`: `images` uint8 [1, height, width, 3] of the network's
    size -> as the SavedModel. Built-in operators only.

    Raises:
      UserError: an unknown quantization, or too few calibration images.
    """
    import tensorflow as tf

    from bas_tf import experiment
    from export import calibration, metadata, saved_model, signatures

    if unknown := set(quantizations) - set(QUANTIZATIONS):
        raise UserError(f"--quantize={min(unknown)}; known: {', '.join(QUANTIZATIONS)}")
    loaded = experiment.load_experiment(workdir)
    served = saved_model.served_localizer(loaded)
    steps = metadata.training_steps(loaded, served.localizer)
    crops = None
    if "int8" in quantizations:
        source = experiment.open_source(loaded.config, loaded.class_names)
        crops = calibration.calibration_crops(loaded.config, source)
    output = Path(output)
    files.write_file(
        output / LABELS_FILE, ("\n".join(loaded.class_names) + "\n").encode()
    )
    written = []
    with tempfile.TemporaryDirectory() as folder:
        constant = signatures.without_variables(
            served.edge_function().get_concrete_function()
        )
        tf.saved_model.save(constant, folder, signatures={SIGNATURE: constant.serve})
        for quantization in quantizations:
            path = output / QUANTIZATIONS[quantization]
            content = convert(folder, quantization, crops)
            document = metadata.model_document(
                loaded,
                served.localizer,
                content,
                steps=steps,
                quantization=quantization,
                crops=crops,
            )
            files.write_file(path, metadata.with_metadata(content, document))
            files.write_json(path.with_name(f"{path.name}.json"), document)
            written.append(path)
    return written


def convert(folder: str, quantization: str, crops) -> bytes:
    """SavedModel folder -> the bytes of a TFLite file."""
    import tensorflow as tf

    from export import calibration

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.representative_dataset = lambda: calibration.representative_dataset(
            crops
        )
    return converter.convert()


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    for path in export_tflite(
        flags.FLAGS.workdir, flags.FLAGS.output, flags.FLAGS.quantize
    ):
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "A trained workdir.", required=True)
    flags.DEFINE_string("output", None, "The folder to write to.", required=True)
    flags.DEFINE_multi_enum(
        "quantize", ["none"], list(QUANTIZATIONS), "Repeat for several files."
    )
    entry_point.run(main)
