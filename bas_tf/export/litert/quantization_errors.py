"""Where an int8 file departs from the float32 one of its workdir."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export.litert import operators as tflite_operators
from bas_tf.export.litert.operators import Operator, Tensor

IMAGES, WORST = 16, 20
EXACT_DB = 48.0  # of 8 bits themselves: an input without noise counts as this


def matched_tensors(
    quantized: list[Operator], floating: list[Operator]
) -> dict[int, tuple[Tensor, Tensor]]:
    """{index: (quantized tensor, the float file's of its name and shape)}.

    The converter adds a 1 to the name of a quantized tensor whose own name goes to what
    a DEQUANTIZE makes of it.
    """
    known = {(t.name, t.shape): t for o in floating for t in o.outputs if t.is_float}
    matched = {}
    for tensor in (t for o in quantized for t in o.outputs if t.scale is not None):
        for name in (tensor.name, tensor.name.removesuffix("1")):
            if twin := known.get((name, tensor.shape)):
                matched.setdefault(tensor.index, (tensor, twin))
    return matched


def noise_sums(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """[count, sum of expected, of its squares, of the error's squares], float64."""
    expected, error = expected.astype(np.float64), actual - expected.astype(np.float64)
    return np.array(
        [expected.size, expected.sum(), (expected**2).sum(), (error**2).sum()]
    )


def signal_to_noise_db(sums: np.ndarray) -> float:
    """Of `noise_sums`: 10 log10(signal / noise); inf of no noise, -inf of no signal."""
    _, _, signal, noise = sums
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def relative_error(sums: np.ndarray) -> float | None:
    """Of `noise_sums`: rms error / standard deviation; None of a constant tensor."""
    count, total, squares, noise = sums
    variance = squares / count - (total / count) ** 2
    return math.sqrt(noise / count / variance) if variance > 0 else None


def layer_rows(
    operators: list[Operator], sums: dict[int, np.ndarray], scales: dict[int, float]
) -> list[dict]:
    """One row a measured tensor, in the order in which the operators run.

    Args:
      operators: of the quantized file.
      sums, scales: of its tensors by their indices, see `noise_sums`.

    Returns:
      {"operator", "tensor", "scale", "snr_db", "relative_error", "lost_db"}. `lost_db`
      is the worst input's SNR, at most EXACT_DB, less the tensor's own, which is at
      most that too; a tensor that is not measured hands on its inputs'.
    """
    reached, rows = {}, []
    for operator in operators:
        inputs = [reached.get(t.index, EXACT_DB) for t in operator.inputs]
        incoming = min(inputs, default=EXACT_DB)
        for tensor in operator.outputs:
            reached[tensor.index] = incoming
            if tensor.index not in sums:
                continue
            snr = signal_to_noise_db(sums[tensor.index])
            reached[tensor.index] = min(snr, EXACT_DB)
            lost = incoming - reached[tensor.index]
            rows.append(
                {
                    "operator": operator.kind,
                    "tensor": tensor.name,
                    "scale": scales[tensor.index],
                    "snr_db": snr if math.isfinite(snr) else None,
                    "relative_error": relative_error(sums[tensor.index]),
                    "lost_db": lost if math.isfinite(lost) else None,
                }
            )
    return rows


def worst_rows(rows: list[dict], count: int = WORST) -> list[dict]:
    """The rows that lose most, in graph order; where no number is, all is lost."""

    def lost(i: int) -> float:
        found = rows[i]["lost_db"]
        return math.inf if found is None else found

    picked = sorted(range(len(rows)), key=lost, reverse=True)[:count]
    return [rows[i] for i in sorted(picked)]


class KeptTensors:
    """A file, given as its bytes, run with every tensor kept."""

    def __init__(self, tflite: bytes):
        from ai_edge_litert import interpreter

        self._interpreter = interpreter.Interpreter(
            model_content=tflite,
            experimental_preserve_all_tensors=True,
            # A delegate keeps what lies between its operators to itself.
            experimental_op_resolver_type=(
                interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        )
        self.run = self._interpreter.get_signature_runner(names.SIGNATURE)

    def value(self, tensor: Tensor) -> np.ndarray:
        """A tensor of the last run as real numbers."""
        found = self._interpreter.get_tensor(tensor.index)
        if tensor.scale is None:
            return found
        return tensor.scale * (found.astype(np.float64) - tensor.zero_point)


def measure(
    quantized: bytes, floating: bytes, examples: Iterable[dict[str, np.ndarray]]
) -> list[dict]:
    """`layer_rows` of a quantized file next to the float32 one of its signature.

    `examples` are inputs by the signature's names.
    """
    operators = tflite_operators.read_operators(quantized)[0]
    matched = matched_tensors(operators, tflite_operators.read_operators(floating)[0])
    ours, theirs = KeptTensors(quantized), KeptTensors(floating)
    sums = {index: np.zeros(4) for index in matched}
    for inputs in examples:
        ours.run(**inputs)
        theirs.run(**inputs)
        for index, (tensor, twin) in matched.items():
            sums[index] += noise_sums(theirs.value(twin), ours.value(tensor))
    return layer_rows(operators, sums, {i: t.scale for i, (t, _) in matched.items()})


def float_file(loaded, document: dict) -> bytes:
    """The float32 file of the same variant and input as a file with this document."""
    from bas_tf.export.artifacts import saved_models
    from bas_tf.export.litert import conversion

    variant = "full"
    if names.CLASS_IDS in document["inputs"]:
        variant = "given_class"
    elif names.BOXES not in document["outputs"]:
        variant = "no_boxes"
    served, _ = saved_models.served_localizer(
        loaded, refine=document.get("refine", "none")
    )
    input_type = document["inputs"][names.IMAGES]["dtype"]
    return conversion.convert_localizer(
        served, ["none"], variant=variant, input_type=input_type
    )["none"]


def check_artifact(path: Path, document: dict, loaded) -> None:
    """Raises UserError: not an int8 file of one size, or of another workdir."""
    from bas_tf.export.litert import file_document

    if document["quantization"] != "int8":
        raise UserError(
            f"--artifact={path}: its quantization is {document['quantization']!r}; "
            "expected an int8 file"
        )
    if -1 in document["inputs"][names.IMAGES]["shape"]:
        raise UserError(
            f"--artifact={path}: takes frames of any size; name the file of the "
            "network's size, whose layers are the same"
        )
    trained = file_document.config_sha256(loaded.config.to_dict())
    if document["training"]["config_sha256"] != trained:
        raise UserError(
            f"--artifact={path}: was exported from another training than "
            f"--workdir={loaded.workdir}"
        )


def calibration_examples(loaded, document: dict) -> Iterable[dict[str, np.ndarray]]:
    """Inputs of IMAGES calibration images, evenly picked, by the signature's names."""
    from bas_tf.export.litert import calibration
    from bas_tf.runners import litert

    crops = calibration.crops_of(loaded)
    picked = np.linspace(0, len(crops) - 1, min(IMAGES, len(crops))).astype(int)
    dtype = document["inputs"][names.IMAGES]["dtype"]
    for i, crop in enumerate(crops[picked]):
        inputs = {names.IMAGES: litert.as_tflite_input(crop[np.newaxis], dtype)}
        if names.CLASS_IDS in document["inputs"]:
            inputs[names.CLASS_IDS] = np.array([i % len(loaded.class_names)], np.int32)
        yield inputs


def format_rows(rows: list[dict]) -> str:
    """A table for people: the worst layers in graph order."""
    lines = [f"{'lost dB':>8}{'SNR dB':>8}{'rms/std':>9}{'scale':>11}  layer"]
    for row in worst_rows(rows):
        lines.append(
            f"{_number(row['lost_db'], 8, '.1f')}{_number(row['snr_db'], 8, '.1f')}"
            f"{_number(row['relative_error'], 9, '.3f')}{row['scale']:>11.3g}  "
            f"{row['operator']} {row['tensor'].split(';')[0]}"
        )
    return "\n".join(lines)


def _number(value: float | None, width: int, spec: str) -> str:
    return ("-" if value is None else format(value, spec)).rjust(width)


def format_islands(islands: dict[str, dict[str, int]]) -> str:
    """A list for people, one line an operator and module."""
    lines = ["float islands:"]
    lines += [
        f"{count:>4} {kind} {module}".rstrip()
        for kind, modules in islands.items()
        for module, count in modules.items()
    ]
    return "\n".join(lines)
