"""The speed benchmark: its sides compute the method, its figures on made-up seconds."""

import importlib.util
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import names
from bas_tf.errors import UserError
from benchmarks.method_speed import (
    cases,
    figures,
    matrix_product,
    measure,
    ours,
    plain_port,
    plot,
    turns,
)

SIZE, CLASSES = 64, 200


@pytest.fixture(scope="module")
def localizers():
    """Ours and one for the plain port, with equal weights and living class maps."""
    config = cases.load_config("mobilenet_v1", CLASSES, SIZE)
    both = [ours.build_localizer(config, CLASSES) for _ in range(2)]
    for localizer in both:
        classifier = localizer.backbone.head.get_layer("classifier")
        classifier.convolutions[-1].bias.assign(tf.ones(CLASSES))
    return config, *both


@pytest.mark.slow
def test_the_plain_port_infers_as_we_do(localizers):
    _, mine, plain = localizers
    images, _ = cases.noise(2, CLASSES, SIZE)
    scores, best_map, _ = ours.network_in_graph(mine)(images)
    best = tf.argmax(scores, axis=-1, output_type=tf.int32)
    logits, found_map, background = plain_port.network_in_graph(plain)(images, best)
    np.testing.assert_allclose(tf.nn.softmax(logits), scores, rtol=1e-4)
    np.testing.assert_allclose(found_map, best_map, atol=1e-5)
    assert (background.numpy() > 0).all()


@pytest.mark.slow
def test_the_plain_port_trains_as_we_do_with_gradients_that_nobody_uses(localizers):
    """The same losses, the same weights after two steps, more gradients.

    Of weights there are more: the copied head's five convolutions and two depthwise
    ones, and the generator's, which is a matrix product in our step.
    """
    config, mine, plain = localizers
    images, labels = map(tf.constant, cases.noise(8, CLASSES, SIZE))
    our_step, step = ours.make_step(config, mine), plain_port.make_step(config, plain)
    batch = {names.IMAGES: images, names.LABELS: labels}
    before = [v.numpy() for v in mine.trainable_variables]
    loss, ran_ours = with_nodes_that_ran(lambda: our_step(batch)[names.LOSS])
    loss_of_port, ran = with_nodes_that_ran(lambda: step(images, labels))
    np.testing.assert_allclose(loss_of_port, loss, rtol=1e-4)
    np.testing.assert_allclose(
        step(images, labels), our_step(batch)[names.LOSS], rtol=1e-4
    )
    for was, variable, of_port in zip(
        before, mine.trainable_variables, plain.trainable_variables, strict=True
    ):
        moved, moved_there = variable.numpy() - was, of_port.numpy() - was
        off = np.linalg.norm(moved_there - moved)
        assert off < 0.02 * np.linalg.norm(moved) + 1e-6, variable.path

    kinds = ("Conv2D", "DepthwiseConv2dNative")
    more = [ran[f"{k}BackpropFilter"] - ran_ours[f"{k}BackpropFilter"] for k in kinds]
    assert more == [5 + 1, 2]


def with_nodes_that_ran(step) -> tuple[np.ndarray, Counter]:
    """What a function gives in its first call, and {type: how many} nodes that were
    left when the runtime had optimized its graph."""
    from tensorflow.python.eager import context

    context.enable_run_metadata()
    try:
        found = step().numpy()
        graphs = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    nodes = [node.op for g in graphs for node in g.post_optimization_graph.node]
    return found, Counter(nodes)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["vgg16", "mobilenet_v1"])
def test_the_reference_differentiates_the_weights_of_its_copied_head(backbone):
    torch = pytest.importorskip("torch")
    from benchmarks.method_speed import torch_reference

    reference = torch_reference.make_reference(backbone, CLASSES)
    images, labels = torch_reference.tensors(*cases.noise(2, CLASSES, SIZE))
    total = reference.losses(reference(images, labels), labels)["total"]
    leaves, seen, left = set(), set(), [total.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [following for following, _ in node.next_functions]
            if hasattr(node, "variable"):
                leaves.add(node.variable)
    own, head = set(reference.parameters()), set(reference.head().parameters())
    assert own < leaves
    assert len(leaves - own) == len(head)
    shapes = sorted(tuple(leaf.shape) for leaf in leaves - own)
    assert shapes == sorted(tuple(p.shape) for p in head)
    assert isinstance(total, torch.Tensor)


@pytest.mark.slow
def test_an_independent_count_of_the_reference_agrees():
    """PyTorch's own counter; it counts a multiply-add as two."""
    pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.method_speed import torch_reference

    reference = torch_reference.make_reference("vgg16", CLASSES)
    batch = torch_reference.tensors(*cases.noise(2, CLASSES, SIZE))
    config = cases.load_config("vgg16", CLASSES, SIZE)
    work = measure.count_work("vgg16", CLASSES, SIZE)
    for phase, call in (
        ("train", torch_reference.training(config.optimizer, reference, *batch)),
        ("inference", torch_reference.network(reference, *batch)),
    ):
        with FlopCounterMode(display=False) as counter:
            call()
        assert counter.get_total_flops() == 2 * 2 * work[phase]["reference"]


def side(times: dict, level=100, peak=900) -> dict:
    return {
        "seconds": times, "level_bytes": level * 2**20, "peak_bytes": peak * 2**20,
    }  # fmt: skip


def made_up_row(backbone="vgg16", classes=200, torch=True) -> dict:
    """Ours takes 1 s, 2 s and 4 s of three rounds; the product a tenth of that."""
    work = {"ours": matrix_product.FLOP // 32, "reference": matrix_product.FLOP // 16}
    infer = {"network_1": [0.1] * 3, "network_8": [1.0] * 3}
    product = side({"float32": [0.1, 0.2, 0.4]})
    phases = {
        "train": {
            "ours": side({"train": [1.0, 2.0, 4.0]}),
            "bfloat16": side({"train": [0.5, 1.0, 1.0]}),
            "plain": side({"train": [2.0, 3.0, 10.0]}, peak=1700),
            "torch": side({"train": [3.0, 6.0, 16.0]}),
            "ceiling": product,
        },
        "inference": {
            "ours": side(infer),
            "bfloat16": side(infer),
            "plain": side({"network_1": [0.3] * 3, "network_8": [2.0] * 3}),
            "torch": side({"network_1": [0.4] * 3, "network_8": [3.0] * 3}),
            "ceiling": product,
        },
    }
    if not torch:
        for phase in phases.values():
            del phase["torch"]
    settings = {"size": 224, "threads": 2, "rounds": 3, "cpu": "a CPU"}
    return {
        "backbone": backbone,
        "classes": classes,
        "settings": settings,
        "multiply_adds": {"train": work, "inference": work},
        "phases": phases,
    }


def test_figures_by_hand():
    train, one, eight = figures.figures_of(made_up_row())
    assert [f["task"] for f in (train, one, eight)] == list(cases.BATCHES)
    assert train["milliseconds"] == {
        "ours": 2000, "bfloat16": 1000, "plain": 3000, "torch": 6000,
    }  # fmt: skip
    # A round's own ratios: 2/1, 3/2, 10/4; 3/1, 6/2, 16/4; and 1/0.5, 2/1, 4/1.
    assert train["ratios"] == {
        "plain": [2.0, 1.5, 2.5], "torch": [3.0, 3.0, 4.0], "bfloat16": [2.0, 2.0, 4.0],
    }  # fmt: skip
    assert train["expected"] == 2.0
    # A call of 8 images does 2 x 8 / 32 = half the operations of a product, and takes
    # ten times as long.
    assert train["share_of_ceiling"] == pytest.approx(0.05)
    assert train["mib_per_image"] == {
        "ours": 100, "bfloat16": 100, "plain": 200, "torch": 100,
    }  # fmt: skip
    assert eight["milliseconds"]["plain"] == pytest.approx(2000)
    assert one["mib_per_image"] == {}
    assert one["ratios"]["plain"] == pytest.approx([3.0] * 3)
    # 1/16 of a product in 0.1 s, and a product in 0.1, 0.2, 0.4 s.
    assert one["share_of_ceiling"] == pytest.approx(2 / 16)


def test_the_table():
    rows = [made_up_row(), made_up_row("resnet50", 1000, torch=False)]
    lines = figures.speed_table(rows).splitlines()
    assert lines[0] == "224 pixels, 2 threads, 3 rounds, a CPU"
    assert len(lines) == 2 + 2 + 6
    assert len({line.count("|") for line in lines[2:]}) == 1
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells == [
        "vgg16", "200", "train, 8", "2,000", "1,000", "3,000", "6,000",
        "2.00 (1.50 to 2.50)", "3.00 (3.00 to 4.00)", "2.00", "2.00 (2.00 to 4.00)",
        "5%", "100, 100, 200, 100",
    ]  # fmt: skip
    without_torch = [cell.strip() for cell in lines[7].strip("|").split("|")]
    assert without_torch[1] == "1,000"
    assert without_torch[6] == without_torch[8] == ""


def test_the_plot_has_every_ratio():
    rows = [made_up_row(), made_up_row("resnet50", 1000, torch=False)]
    found = [line for row in rows for line in figures.figures_of(row)]
    drawn = plot.speed_figure(found)
    labels = [text.get_text() for text in drawn.axes[0].get_yticklabels()]
    assert labels == ["vgg16, 200", "resnet50, 1,000"]
    for axes, task in zip(drawn.axes, cases.BATCHES, strict=True):
        of_task = [line for line in found if line["task"] == task]
        medians = [r[0] for line in of_task for r in line["ratios"].values()]
        expected = [line["expected"] for line in of_task]
        # Of a line: one point is a median, two are an expectation or the 1.
        points = [line.get_xdata() for line in axes.get_lines()]
        assert sorted(p[0] for p in points if len(p) == 1) == sorted(medians)
        ticks = [p[0] for p in points if len(p) == 2]
        assert sorted(ticks) == sorted([1, *expected])


def test_networks_are_every_backbone_with_every_number_of_classes():
    found = measure.parse_networks(["vgg16", "resnet50"], ["1000", "200"])
    assert found == [
        ("vgg16", 1000), ("vgg16", 200), ("resnet50", 1000), ("resnet50", 200),
    ]  # fmt: skip
    with pytest.raises(UserError, match="--backbones is 'vgg'; known: vgg16, mobile"):
        measure.parse_networks(["vgg"], ["200"])
    with pytest.raises(UserError, match="--classes is '100'; known: 200, 1000"):
        measure.parse_networks(["vgg16"], ["100"])
    with pytest.raises(UserError, match="--backbones is ''"):
        measure.parse_networks([], ["100"])


def test_the_plot_is_not_written_over_the_json(tmp_path):
    assert plot.plot_path(tmp_path / "a.json") == tmp_path / "a.png"
    with pytest.raises(UserError, match="a.png: the plot goes there; name a .json"):
        measure.measure_all([("vgg16", 200)], {}, tmp_path / "a.png")


@pytest.mark.slow
def test_a_side_that_ends_early_is_named_with_its_last_words():
    module, settings = "benchmarks.method_speed.matrix_product", {"threads": 2}
    with pytest.raises(UserError, match="side plain: ended early .*unexpected keyword"):
        turns.Side("plain", module, {**settings, "speed": "fast"}, ["float32"])
    side = turns.Side("ceiling", module, settings, ["float32", "float3"])
    try:
        with pytest.raises(UserError, match="side ceiling: ended early .*'float3'"):
            side.run(counts=True)
    finally:
        side.close()


def test_the_ceiling_is_a_product(monkeypatch):
    monkeypatch.setattr(matrix_product, "SIDE", 8)
    monkeypatch.setattr(ours, "use_threads", lambda threads: None)  # too late for it
    products = matrix_product.build(threads=2)
    assert tuple(products) == ("float32",)
    assert products["float32"]().shape == (8, 8)


@pytest.mark.slow
def test_all_sides_of_a_small_network_take_their_turns():
    """Of those that are installed, one round of inference at 64 pixels."""
    settings, phase = measure.make_settings(1, size=SIZE), "inference"
    assert ("torch" in settings["sides"]) == bool(importlib.util.find_spec("torch"))
    settings["sides"].remove("ceiling")  # seconds of products of one size
    if "bfloat16" in settings["sides"]:  # the same module
        settings["sides"].remove("ours")
    network = {"backbone": "mobilenet_v1", "classes": 200}
    sides = turns.take_turns(phase, network, settings)
    assert list(sides) == settings["sides"]
    for found in sides.values():
        assert set(found["seconds"]) == set(cases.PHASES[phase])
        assert all(len(s) == 1 and s[0] > 0 for s in found["seconds"].values())
        assert 0 < found["level_bytes"] < found["peak_bytes"]
