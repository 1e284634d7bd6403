"""Multiply-adds by hand, and against three independent counts of whole models."""

import math

import keras
import pytest
import tensorflow as tf

from bas_tf import names
from benchmarks.method_speed import cases, flops, ours, plain_port

SIZE, CLASSES = 64, 200


def test_layers_by_hand():
    model = keras.Sequential(
        [
            keras.layers.Conv2D(5, 3, strides=2, padding="same"),  # 6x8 -> 3x4
            keras.layers.ReLU(),
            keras.layers.DepthwiseConv2D((1, 3), padding="valid"),  # 3x4 -> 3x2
            keras.layers.Conv2D(6, 1, groups=1, use_bias=False),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(7),
        ]
    )
    model.build((None, 6, 8, 2))
    counts, shape = flops.count_layers(model, (1, 6, 8, 2))
    assert counts == [
        3 * 4 * (3 * 3 * 2) * 5,
        3 * 2 * (1 * 3) * 5,
        3 * 2 * 5 * 6,
        6 * 7,
    ]
    assert shape == (1, 7)
    # The layers are as they were: nothing counts any more.
    model(tf.zeros([1, 6, 8, 2]))
    assert len(counts) == 4


def test_layers_that_a_model_calls_twice_count_twice():
    layer = keras.layers.Dense(3)
    model = keras.Sequential([layer, keras.layers.ReLU(), layer])
    model.build((None, 3))
    assert flops.count_layers(model, (1, 3))[0] == [9, 9]


def test_work_by_hand():
    parts = flops.Parts(
        trunk=100, head=20, first=7, class_maps=15, one_map=2, classes=5
    )
    ours_train = flops.training_work(parts, as_reference=False)
    # Trunk 100 + 93 + 100, head 3 x 20, generator 3 x 2; the background's head has one
    # class map, 5 + 15 / 5, in two passes.
    assert ours_train == 293 + 60 + 6 + 16
    # The generator five times as wide, the copied head's weights too.
    as_reference = flops.training_work(parts, as_reference=True)
    assert as_reference == 293 + 60 + 30 + 60
    assert flops.inference_work(parts, as_reference=False) == 122
    assert flops.inference_work(parts, as_reference=True) == 150


def build(backbone: str):
    config = cases.load_config(backbone, CLASSES, SIZE)
    return config, ours.build_localizer(config, CLASSES)


def graph_work(traced, *args) -> int:
    """Multiply-adds of a graph's nodes, by their shapes, gradients too."""
    total = 0
    for op in used_operations(traced.get_concrete_function(*args).graph):
        shapes = [tuple(t.shape.as_list() or ()) for t in op.inputs if t.shape.rank]
        if op.type in ("Conv2D", "DepthwiseConv2dNative"):
            weights, positions = shapes[1], op.outputs[0].shape
        elif op.type in (
            "Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput",
        ):  # fmt: skip
            weights, positions = shapes[1], shapes[2]  # after the input's sizes
        elif op.type in (
            "Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropFilter",
        ):  # fmt: skip
            weights, positions = op.outputs[0].shape, shapes[2]
        elif op.type == "BatchMatMulV2":
            inner = shapes[0][-2 if op.get_attr("adj_x") else -1]
            total += math.prod(op.outputs[0].shape) * inner
            continue
        else:
            assert "Conv" not in op.type and op.type != "MatMul", op.type
            continue
        total += math.prod(positions[:-1]) * math.prod(weights)
    return total


def used_operations(graph) -> set:
    """What results or side effects of a graph need; the runtime drops the rest.

    TensorFlow writes both gradients of a convolution down, whichever is asked for.
    """
    used, left = set(), [t.op for t in graph.outputs] + list(graph.control_outputs)
    while left:
        op = left.pop()
        if op not in used:
            used.add(op)
            left += [t.op for t in op.inputs] + list(op.control_inputs)
    return used


def batch_specs(batch: int):
    images = tf.TensorSpec([batch, SIZE, SIZE, 3], tf.uint8)
    return images, tf.TensorSpec([batch], tf.int32)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["vgg16", "mobilenet_v1"])  # all four: minutes
def test_the_graphs_of_both_sides_compute_what_is_counted(backbone):
    config, localizer = build(backbone)
    parts = flops.count_parts(localizer, (SIZE, SIZE))

    def counted(phase: str, *, as_reference: bool, batch: int) -> int:
        return batch * flops.COUNTS[phase](parts, as_reference=as_reference)

    images, labels = batch_specs(cases.TRAIN_BATCH)
    our_step = ours.make_step(config, localizer)
    found = graph_work(our_step, {names.IMAGES: images, names.LABELS: labels})
    assert found == counted("train", as_reference=False, batch=8)

    step = plain_port.make_step(config, localizer)
    found = graph_work(step, images, labels)
    assert found == counted("train", as_reference=True, batch=8)

    inferred = ours.network_in_graph(localizer)
    found = graph_work(inferred, batch_specs(1)[0])
    assert found == counted("inference", as_reference=False, batch=1)

    inferred = plain_port.network_in_graph(localizer)
    found = graph_work(inferred, *batch_specs(1))
    assert found == counted("inference", as_reference=True, batch=1)
