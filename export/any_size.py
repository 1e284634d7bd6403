"""A TFLite file of one size becomes one of any: frames in, boxes in their pixels out.

A resizing is put in front of the network's file and a scaling of the boxes behind it,
operator by operator. The network in between stays as it was converted: a resizing that
is converted with it would be rounded to int8 like a layer.
"""

import copy
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from bas_tf import names

PIXELS, BOX_SCALE = "pixels", "box_scale"


def with_any_size(tflite: bytes, size_wh: tuple[int, int]) -> bytes:
    """Puts a resizing in front of a file, and the boxes back into sent pixels.

    Args:
      tflite: takes `images` uint8 [1, height, width, 3] of `size_wh`; gives `boxes`.
      size_wh: width and height of the network's images.

    Returns:
      The same, of frames uint8 [1, H, W, 3] of any size. The whole frame is seen,
      aspect not kept, as in training: see `resized_pixels`.
    """
    size_hw = (size_wh[1], size_wh[0])
    before, after = _converted(_resizing(size_hw)), _converted(_scaling())
    core = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    model = chained(before, core, {PIXELS: names.IMAGES})
    model = chained(model, after, {names.BOXES: names.BOXES, BOX_SCALE: BOX_SCALE})
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def resized_pixels(images: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """Bilinear, antialiased, rounded to whole pixels: as Pillow within one level.

    Two matrix products, which LiteRT has where it has no antialiased resizing.

    Args:
      images: uint8 [1, H, W, 3], H and W at least 1 and known when it runs.
      size_hw: height and width wanted.

    Returns:
      uint8 [1, height, width, 3].
    """
    (height, width), sent = size_hw, tf.shape(images)
    rows, columns = _weights(sent[1], height), _weights(sent[2], width)
    lines = tf.reshape(tf.cast(images, tf.float32), [sent[1], sent[2] * 3])
    lines = tf.reshape(rows @ lines, [height, sent[2], 3])
    resized = columns[tf.newaxis] @ lines  # [height, width, 3]
    return tf.cast(tf.round(resized), tf.uint8)[tf.newaxis]


def _weights(sent: tf.Tensor, wanted: int) -> tf.Tensor:
    """How much each of `sent` pixels counts in each wanted one: [wanted, sent]."""
    scale = tf.cast(sent, tf.float32) / wanted
    centres = (tf.range(wanted, dtype=tf.float32) + 0.5) * scale
    pixels = tf.cast(tf.range(sent), tf.float32) + 0.5
    distance = tf.abs(pixels[tf.newaxis] - centres[:, tf.newaxis])
    weights = tf.maximum(1.0 - distance / tf.maximum(scale, 1.0), 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _resizing(size_hw: tuple[int, int]):
    spec = tf.TensorSpec([1, None, None, 3], tf.uint8, name=names.IMAGES)

    def serve(images):
        sent = tf.cast(tf.shape(images)[1:3], tf.float32)
        scale = sent[::-1] / tf.constant(size_hw[::-1], tf.float32)  # x, y
        return {
            PIXELS: resized_pixels(images, size_hw),
            BOX_SCALE: tf.concat([scale, scale], axis=0)[tf.newaxis],
        }

    return tf.function(serve, input_signature=[spec])


def _scaling():
    boxes = tf.TensorSpec([1, 4], tf.float32, name=names.BOXES)
    scale = tf.TensorSpec([1, 4], tf.float32, name=BOX_SCALE)

    def serve(boxes, box_scale):
        return {names.BOXES: boxes * box_scale}

    return tf.function(serve, input_signature=[boxes, scale])


def _converted(function) -> schema.ModelT:
    """A float32 file as an object, without what its conversion says of itself."""
    module = tf.Module()
    module.serve = function
    with tempfile.TemporaryDirectory() as folder:
        signatures = {names.SIGNATURE: function.get_concrete_function()}
        tf.saved_model.save(module, folder, signatures=signatures)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    model.metadata = []
    return model


def chained(
    first: schema.ModelT, second: schema.ModelT, wires: dict[str, str]
) -> schema.ModelT:
    """One model that runs `first`, then `second`.

    Args:
      first: a model of one signature.
      second: another; only one of both has more than one subgraph.
      wires: {output of first: input of second} by the signatures' names; the tensors
        are of one dtype and shape.

    Returns:
      A model that takes first's inputs and the inputs of second that are not wired;
      it gives first's outputs that are not wired and second's.
    """
    model, second = copy.deepcopy(first), copy.deepcopy(second)
    if len(model.subgraphs) > 1 and len(second.subgraphs) > 1:
        raise ValueError("both models have subgraphs: their numbers would collide")
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
    for entry in second.metadata or []:
        entry.buffer += len(model.buffers)
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
    model.metadata = [*(model.metadata or []), *(second.metadata or [])]
    return model


def _tensors_by_name(entries) -> dict[str, int]:
    return {entry.name.decode(): entry.tensorIndex for entry in entries}


def _renumbered(indices, moved: dict[int, int]):
    """-1 stands for an input that an operator leaves out."""
    if indices is None:
        return None
    return np.array([moved.get(int(i), -1) for i in indices], np.int32)
