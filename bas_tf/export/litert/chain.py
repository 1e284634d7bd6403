"""TFLite models joined operator by operator: what one gives, the next one takes.

So each part of a file is converted as suits it: the layers rounded to int8, what makes
a box of their answers in float32, pixels resized as they are.
"""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

RUNTIME_ENTRY = "min_runtime_version"  # of a file's metadata


def chained_files(*parts: tuple[bytes, dict[str, str]]) -> bytes:
    """Joins files one behind the other, see `chained`.

    Each comes with {output of the files before: its input}, {} of the first.
    """
    (first, _), *others = parts
    model = _read(first)
    for content, wires in others:
        model = chained(model, _read(content), wires)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _read(content: bytes) -> schema.ModelT:
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def chained(
    model: schema.ModelT, second: schema.ModelT, wires: dict[str, str]
) -> schema.ModelT:
    """One model that runs `model`, then `second`.

    Args:
      model: one of one signature; it becomes the result.
      second: another, whose tensors and operators pass into it; only one of both has
        more than one subgraph.
      wires: {output of model: input of second} by the signatures' names; the tensors
        are of one dtype and shape.

    Returns:
      A model that takes model's inputs and the inputs of second that are not wired;
      it gives model's outputs that are not wired and second's. Of the metadata only
      the newest of both runtime versions is kept.
    """
    if len(model.subgraphs) > 1 and len(second.subgraphs) > 1:
        raise ValueError("both models have subgraphs: their numbers would collide")
    runtime = _runtime(model)
    graph, added = model.subgraphs[0], second.subgraphs[0]
    ours, theirs = model.signatureDefs[0], second.signatureDefs[0]
    outputs, inputs = _tensors_by_name(ours.outputs), _tensors_by_name(theirs.inputs)
    moved = {inputs[into]: outputs[out] for out, into in wires.items()}
    for index, tensor in enumerate(added.tensors):
        if index not in moved:
            moved[index] = len(graph.tensors)
            graph.tensors.append(tensor)
    for subgraph in second.subgraphs:
        for tensor in subgraph.tensors:
            tensor.buffer += len(model.buffers)
        for operator in subgraph.operators:
            operator.opcodeIndex += len(model.operatorCodes)
    for operator in added.operators:
        for key in ("inputs", "outputs", "intermediates"):
            setattr(operator, key, _renumbered(getattr(operator, key), moved))
    for entry in [*theirs.inputs, *theirs.outputs]:
        entry.tensorIndex = moved[entry.tensorIndex]
    graph.operators += added.operators
    ours.inputs += [t for t in theirs.inputs if t.name.decode() not in wires.values()]
    ours.outputs = [
        *(t for t in ours.outputs if t.name.decode() not in wires), *theirs.outputs
    ]  # fmt: skip
    graph.inputs = np.array([t.tensorIndex for t in ours.inputs], np.int32)
    graph.outputs = np.array([t.tensorIndex for t in ours.outputs], np.int32)
    model.subgraphs += second.subgraphs[1:]
    model.buffers += second.buffers
    model.operatorCodes += second.operatorCodes
    model.metadata = []
    if versions := [v for v in (runtime, _runtime(second)) if v is not None]:
        add_metadata(model, RUNTIME_ENTRY, max(versions, key=_as_numbers))
    return model


def add_metadata(model: schema.ModelT, name: str, data: np.ndarray) -> None:
    """Adds an entry of these bytes, uint8 [n], to a model's metadata."""
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = data
    model.buffers.append(buffer)
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def _runtime(model: schema.ModelT):
    """The bytes that tell the oldest runtime for a model; None where nothing does."""
    for entry in model.metadata or []:
        if entry.name in (RUNTIME_ENTRY, RUNTIME_ENTRY.encode()):
            return model.buffers[entry.buffer].data
    return None


def _as_numbers(version) -> list[int]:
    return [int(part) for part in bytes(version).rstrip(b"\0").decode().split(".")]


def _tensors_by_name(entries) -> dict[str, int]:
    return {entry.name.decode(): entry.tensorIndex for entry in entries}


def _renumbered(indices, moved: dict[int, int]):
    """-1 stands for an input that an operator leaves out."""
    if indices is None:
        return None
    return np.array([moved.get(int(i), -1) for i in indices], np.int32)
