"""The operators of a TFLite file, read from its bytes."""

import collections
import dataclasses
import itertools

from ai_edge_litert import schema_py_generated as schema

CASTS = ("QUANTIZE", "DEQUANTIZE")
_KINDS = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
_FLOATS = (schema.TensorType.FLOAT16, schema.TensorType.FLOAT32)
_INTEGERS = (schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a file's main graph; `scale` None where it is not quantized."""

    index: int
    name: str
    shape: tuple[int, ...]
    is_float: bool
    scale: float | None
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of a file; `kind` as CONV_2D."""

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_operators(tflite: bytes) -> list[list[Operator]]:
    """The operators of each of a file's graphs in the order in which they run."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite))
    return [_operators_of(model, graph) for graph in model.subgraphs]


def _operators_of(model: schema.ModelT, graph: schema.SubGraphT) -> list[Operator]:
    tensors = [_tensor(i, tensor) for i, tensor in enumerate(graph.tensors)]

    def of(indices) -> tuple[Tensor, ...]:
        return tuple(tensors[i] for i in _or_empty(indices) if i >= 0)

    operators = []
    for operator in _or_empty(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        kind = _KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        operators.append(Operator(kind, of(operator.inputs), of(operator.outputs)))
    return operators


def _tensor(index: int, tensor: schema.TensorT) -> Tensor:
    quantized = tensor.type in _INTEGERS and tensor.quantization is not None
    scales = _or_empty(tensor.quantization.scale) if quantized else []
    one = len(scales) == 1  # kernels, with a scale a channel, are no layer's output
    return Tensor(
        index,
        tensor.name.decode(),
        tuple(map(int, _or_empty(tensor.shape))),
        tensor.type in _FLOATS,
        float(scales[0]) if one else None,
        int(tensor.quantization.zeroPoint[0]) if one else 0,
    )


def _or_empty(values):
    return [] if values is None else values


def float_islands(tflite: bytes) -> dict[str, dict[str, int]]:
    """{operator: {module: count}} of all that reads or writes a floating tensor.

    QUANTIZE and DEQUANTIZE, the islands' shores, are left out. A module is what stands
    before the last slash of the output's name, "" where that has none.
    """
    islands = collections.defaultdict(collections.Counter)
    for operator in itertools.chain(*read_operators(tflite)):
        tensors = (*operator.inputs, *operator.outputs)
        if operator.kind not in CASTS and any(t.is_float for t in tensors):
            islands[operator.kind][module_of(operator.outputs[0].name)] += 1
    return {kind: dict(sorted(islands[kind].items())) for kind in sorted(islands)}


def float_operators(tflite: bytes) -> dict[str, int]:
    """{operator: count} of `float_islands`."""
    return {kind: sum(n.values()) for kind, n in float_islands(tflite).items()}


def module_of(tensor_name: str) -> str:
    """The path of the layer that a tensor's name carries; of fused ones the first."""
    return tensor_name.split(";")[0].rpartition("/")[0]
