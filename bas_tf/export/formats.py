"""The formats that a trained workdir can be exported to, by name."""

from collections.abc import Iterable
from pathlib import Path

from bas_tf.errors import check_choice
from bas_tf.export.litert.conversion import QUANTIZATIONS

TFLITE = {name: quantization for quantization, name in QUANTIZATIONS.items()}
FORMATS = (*TFLITE, "saved_model", "onnx")


def export_formats(
    workdir, output: str | Path, formats: Iterable[str], *, data_root: str | None = None
) -> list[Path]:
    """Exports a trained workdir.

    Args:
      workdir: its path, or a loaded `experiment.Experiment`.
      output: the folder that gets the files and, for a SavedModel, `saved_model/`.
      formats: of FORMATS: the quantizations of TFLite, saved_model, onnx.
      data_root: where int8's calibration images lie, if they have been moved.

    Returns:
      The files and folders written, in the order of `formats`.

    Raises:
      UserError: an unknown format, or a workdir or folder that will not do; nothing is
        written then.
    """
    formats = list(dict.fromkeys(formats))
    for name in formats:
        check_choice("format", name, FORMATS)
    from bas_tf.export.artifacts import onnx_files, saved_models
    from bas_tf.export.litert import conversion

    output, written = Path(output), {}
    folder = output / "saved_model"
    if "saved_model" in formats:
        saved_models.check_output(workdir, folder)
    tflite = [name for name in formats if name in TFLITE]
    if tflite:
        quantizations = [TFLITE[name] for name in tflite]
        paths = conversion.export_tflite(
            workdir, output, quantizations, data_root=data_root
        )
        written |= dict(zip(tflite, paths, strict=True))
    if "saved_model" in formats:
        written["saved_model"] = saved_models.export_saved_model(workdir, folder)
    if "onnx" in formats:
        written["onnx"] = onnx_files.export_onnx(workdir, output)
    return [written[name] for name in formats]
