"""Converts trained localizers to TFLite (LiteRT) files."""

import functools
import itertools
import tempfile
from pathlib import Path

from bas_tf import files
from bas_tf.errors import UserError
from bas_tf.names import BOXES, IMAGES, LABELS_FILE, SIGNATURE

QUANTIZATIONS = {  # --quantize: in a file's name
    "none": "float32",
    "float16": "float16",
    "dynamic": "dynamic",
    "int8": "int8",
}
# What is written: in a file's name.
PREFIXES = {
    "full": "localizer",
    "any_size": "localizer_any_size",
    "no_boxes": "no_boxes",
    "given_class": "given_class",
}
INPUT_TYPES = ("uint8", "int8", "float32")
REFINEMENTS = ("none", "pamr")  # that run in a graph


def export_tflite(
    workdir: str | Path,
    output: str | Path,
    quantizations: list[str],
    *,
    variants: tuple[str, ...] = ("full",),
    input_type: str = "uint8",
    refine: str = "none",
    data_root: str | None = None,
) -> list[Path]:
    """Writes a file for each variant and quantization; labels and a card next to them.

    Each has its labels and `file_document` inside; FILE.json is the same document.
    Signature `serving_default`: `images` [1, height, width, 3] of the network's size,
    or any in variant "any_size" -> as `ServedLocalizer.edge_answer`. Built-in operators
    only.

    Args:
      workdir: of a training, or its `experiment.Experiment`, which is restored once.
      quantizations, variants: keys of QUANTIZATIONS, of PREFIXES.
      input_type: of INPUT_TYPES; int8 is the pixel less 128.
      refine: of REFINEMENTS: what boxes are refined by; maps are the network's own.
      data_root: where int8's calibration images are, if moved.

    Raises:
      UserError: an output that is read, no box to refine, frames of any size not of
        uint8, too few calibration images.
    """
    from bas_tf.export.artifacts import model_card, saved_models
    from bas_tf.export.litert import calibration, file_document, metadata
    from bas_tf.jobs import experiment

    _check_variants(variants, input_type, refine)
    loaded, output = experiment.load_experiment(workdir), Path(output)
    _check_refines(refine, loaded.config.eval.score_threshold)
    if data_root is not None:
        loaded.config.data.root = data_root
    paths = {
        of_file: output / file_name(*of_file, input_type, refine)
        for of_file in itertools.product(variants, quantizations)
    }
    _check_outputs(loaded, output, paths.values(), quantizations)
    crops = calibration.crops_of(loaded) if "int8" in quantizations else None
    served, steps = saved_models.served_localizer(loaded, refine=refine)
    card = model_card.model_card(loaded, steps=steps)
    labels = "\n".join(loaded.class_names) + "\n"
    files.write_file(output / LABELS_FILE, labels.encode())
    files.write_file(output / model_card.CARD_FILE, card.encode())
    contents = _converted(served, quantizations, crops, variants, input_type)
    written = []
    for (variant, quantization), content in contents.items():
        document = file_document.model_document(
            loaded, served.localizer, content,
            steps=steps, quantization=quantization, crops=crops, refine=refine,
        )  # fmt: skip
        path = paths[variant, quantization]
        files.write_file(path, metadata.with_metadata(content, document))
        files.write_json(path.with_name(f"{path.name}.json"), document)
        written.append(path)
    return written


def _check_refines(refine: str, score_threshold: float) -> None:
    if refine != "none" and not score_threshold:
        raise UserError(
            f"--refine={refine}: eval.score_threshold is {score_threshold}; one above "
            "0 is needed"
        )


def _converted(
    served, quantizations, crops, variants, input_type: str
) -> dict[tuple[str, str], bytes]:
    """{(variant, quantization): content}; one conversion is of "any_size" as well."""

    @functools.cache
    def of_variant(variant: str) -> dict[str, bytes]:
        if variant == "any_size":
            return with_any_size(of_variant("full"), served.input_size_wh)
        return convert_localizer(
            served, quantizations, crops, variant=variant, input_type=input_type
        )

    return {
        (variant, quantization): content
        for variant in variants
        for quantization, content in of_variant(variant).items()
    }


def _check_variants(variants, input_type: str, refine: str) -> None:
    if "any_size" in variants and input_type != "uint8":
        raise UserError(f"--input_type={input_type}: frames of --any_size are uint8")
    if refine != "none" and "no_boxes" in variants:
        raise UserError(f"--refine={refine}: files of --no_boxes have no box to refine")


def _check_outputs(loaded, output: Path, paths, quantizations) -> None:
    """Raises UserError for a file to write that is read, or cannot be written."""
    from bas_tf.export.artifacts import model_card
    from bas_tf.jobs import output_check

    written = [output / LABELS_FILE, output / model_card.CARD_FILE]
    for path in paths:
        written += [path, path.with_name(f"{path.name}.json")]
    output_check.check_outputs(
        written,
        models=[loaded],
        config=loaded.config if "int8" in quantizations else None,
    )


def file_name(
    variant: str, quantization: str, input_type: str, refine: str = "none"
) -> str:
    """As localizer_int8.tflite, given_class_float16.tflite; then _int8_input, _pamr."""
    suffix = "" if input_type == "uint8" else f"_{input_type}_input"
    suffix += "" if refine == "none" else f"_{refine}"
    return f"{PREFIXES[variant]}_{QUANTIZATIONS[quantization]}{suffix}.tflite"


def convert_localizer(
    served, quantizations, crops=None, *, variant: str = "full", input_type="uint8"
) -> dict[str, bytes]:
    """A localizer -> {quantization: the bytes of a TFLite file}.

    The layers are quantized. The scaling of pixels before them, and what follows them,
    from the chosen class's kernel to the box, computes in float32 in every file: it is
    a hundredth of the work, and rounding each of its sums to 256 levels cost more than
    rounding the layers.

    Args:
      served: a `signatures.ServedLocalizer`.
      quantizations, crops: see `convert`.
      variant: of `ServedLocalizer.edge_answer`.
      input_type: of INPUT_TYPES.
    """
    import tensorflow as tf

    from bas_tf.export.artifacts.signatures import PHOTO, SCALED
    from bas_tf.export.litert import chain

    layers = served.edge_layers(variant)
    wires = {name: name for name in layers.get_concrete_function().structured_outputs}
    if served.refine != "none":
        wires[PHOTO] = PHOTO
    pixels = _part(served.edge_pixels(tf.as_dtype(input_type)))

    @functools.cache
    def answer(int8_kernels: bool, quantization: str) -> bytes:
        function = served.edge_answer(layers, variant, int8_kernels=int8_kernels)
        return _part(function, quantization)

    contents = {}
    converted = convert(layers, quantizations, crops, as_input=served.scaled)
    for quantization, content in converted.items():
        in_int8 = quantization in ("dynamic", "int8")
        contents[quantization] = chain.chained_files(
            (pixels, {}),
            (content, {SCALED: SCALED}),
            (answer(in_int8, "none" if in_int8 else quantization), wires),
        )
    return contents


def with_any_size(contents: dict[str, bytes], size_wh) -> dict[str, bytes]:
    """Files of `size_wh` that take uint8 -> the same for frames of any size."""
    from bas_tf.export.artifacts.signatures import PIXELS
    from bas_tf.export.litert import any_size, chain

    resizing = _part(any_size.resizing(size_wh[::-1]))
    scaling = _part(any_size.scaling())
    wires = {name: name for name in (BOXES, any_size.BOX_SCALE)}
    return {
        quantization: chain.chained_files(
            (resizing, {}), (content, {PIXELS: IMAGES}), (scaling, wires)
        )
        for quantization, content in contents.items()
    }


def _part(function, quantization: str = "none") -> bytes:
    return convert(function, [quantization])[quantization]


def convert(
    function, quantizations, crops=None, *, as_input=lambda images: images
) -> dict[str, bytes]:
    """A tf.function -> {quantization: the bytes of a TFLite file}.

    Args:
      function: with an input signature; int8 needs one of images alone.
      quantizations: keys of QUANTIZATIONS.
      crops: of `calibration.calibration_crops`; int8 needs them.
      as_input: makes of crops [1, h, w, 3] what the function takes.
    """
    import tensorflow as tf

    from bas_tf.export.artifacts import signatures

    module = signatures.without_variables(function.get_concrete_function())
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: module.serve})
        return {
            quantization: _converter(folder, quantization, crops, as_input).convert()
            for quantization in quantizations
        }


def _converter(folder: str, quantization: str, crops, as_input):
    import numpy as np
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.representative_dataset = lambda: (
            [np.asarray(as_input(crop[np.newaxis]))] for crop in crops
        )
    return converter
