"""Writes ONNX files, as ONNX Runtime runs them."""

import json
from pathlib import Path

from bas_tf import files
from bas_tf.errors import import_extra

OPSET, ONNX_FILE = 18, "localizer.onnx"


def export_onnx(workdir: str | Path, output: str | Path) -> Path:
    """Writes output/localizer.onnx and the model card next to it.

    Input `images` uint8 [batch, height, width, 3] of the network's size, any batch;
    outputs as the SavedModel's, by the same names.

    Raises:
      UserError: tf2onnx or onnx cannot be imported here.
    """
    from bas_tf.export.artifacts import model_card, saved_models
    from bas_tf.jobs import experiment, output_check

    path = Path(output) / ONNX_FILE
    card_path = path.with_name(model_card.CARD_FILE)
    loaded = experiment.load_experiment(workdir)
    output_check.check_outputs([path, card_path], models=[workdir])
    served, steps = saved_models.served_localizer(loaded)
    card = model_card.model_card(loaded, steps=steps)
    model = convert(served.batch_function())
    properties = {
        "labels": list(loaded.class_names),
        "score_threshold": loaded.config.eval.score_threshold,
        "top_k": served.localizer.top_k,
    }
    onnx = import_extra("onnx", "export")
    texts = {key: json.dumps(value) for key, value in properties.items()}
    onnx.helper.set_model_props(model, texts)
    files.write_file(path, model.SerializeToString())
    files.write_file(card_path, card.encode())
    return path


def convert(function):
    """tf.function of one input, `images` -> onnx.ModelProto.

    Raises:
      UserError: tf2onnx or onnx cannot be imported here.
    """
    onnx, tf2onnx = (import_extra(name, "export") for name in ("onnx", "tf2onnx"))
    handlers = {
        f"UnsortedSegment{kind}": (_scatter, ["ScatterElements", reduction])
        for kind, reduction in (("Min", "min"), ("Max", "max"), ("Sum", "add"))
    }
    model, _ = tf2onnx.convert.from_function(
        function,
        input_signature=function.input_signature,
        opset=OPSET,
        custom_op_handlers=handlers,
    )
    onnx.checker.check_model(model, full_check=True)  # tf2onnx only logs its failures
    return model


def _scatter(context, node, name, args) -> None:
    """Unsorted segments of a list as one ScatterElements.

    tf2onnx's own way fails on integers (1.17.0), and costs segments x elements.
    """
    import numpy as np
    from tf2onnx import utils

    (reduction,) = args
    data, ids, count = node.input
    dtype = utils.map_onnx_to_numpy_type(context.get_dtype(data))
    limits = np.finfo(dtype) if np.issubdtype(dtype, np.floating) else np.iinfo(dtype)
    start = {"min": limits.max, "max": limits.min, "add": 0}[reduction]
    start = context.make_const(utils.make_name("start"), np.array(start, dtype))
    one = context.make_const(utils.make_name("one"), np.array([1], np.int64))
    shape = context.make_node("Reshape", [_cast_int64(context, count), one.output[0]])
    filled = context.make_node("Expand", [start.output[0], shape.output[0]])
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    context.make_node(
        "ScatterElements",
        [filled.output[0], _cast_int64(context, ids), data],
        attr={"axis": 0, "reduction": reduction},
        name=node.name,
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )


def _cast_int64(context, tensor: str) -> str:
    from onnx import TensorProto

    cast = context.make_node("Cast", [tensor], attr={"to": TensorProto.INT64})
    return cast.output[0]
