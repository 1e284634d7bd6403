"""Networks of Keras Applications and ours, with the former's weights, are one.

The applications get random weights of all kinds and are saved to real files. In
float64 both agree to rounding, so that even ResNet's difference in epsilon (1e-8 next
to variances of about one) counts. Where the paper removed a stride, ours sees every
position and Keras's network every second one: the same numbers at these positions.
"""

import json
import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import keras_applications
from bas_tf.models.weights.assign import assign_weights
from tests.fixtures import networks
from tests.training.narrow import narrow_localizer

# Keras 3.15 saves weights by an array protocol that NumPy 2 is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")
ROUNDING = 1e-10  # of up to 50 layers in float64, relative to the largest feature
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
MIXED = {  # our blocks of InceptionV3 -> the output of Keras's before, and of its own
    "Mixed_5c": ("mixed0", "mixed1"),
    "Mixed_5d": ("mixed1", "mixed2"),
    "Mixed_6b": ("mixed3", "mixed4"),
    "Mixed_6c": ("mixed4", "mixed5"),
    "Mixed_6d": ("mixed5", "mixed6"),
    "Mixed_6e": ("mixed6", "mixed7"),
    "Mixed_7b": ("mixed8", "mixed9"),
    "Mixed_7c": ("mixed9", "mixed10"),
}


def build(backbone, **options):
    if backbone != "vgg16":
        options = {"variant": "keras"} | options
    return narrow_localizer(backbone=backbone, backbone_options=options)


def application(backbone, **options):
    """A network of Keras Applications with random weights, biases and statistics."""
    model = keras_applications.APPLICATIONS[backbone](
        weights=None, include_top=False, **options
    )
    rng = np.random.default_rng(1)
    for variable in model.variables:
        variable.assign(random_values(variable, rng))
    return model


def random_values(variable, rng):
    shape = variable.shape
    if variable.name == "kernel":  # keeps features at the order of one
        depthwise = len(shape) == 4 and shape[3] == 1
        inputs = np.prod(shape[:2] if depthwise else shape[:3])
        return rng.normal(scale=np.sqrt(2 / inputs), size=shape)
    if variable.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    return rng.normal(scale=0.3, size=shape)  # bias, beta, moving_mean


def imported(backbone, folder, **options):
    """An application and a localizer that took its weights from a file."""
    width = {"alpha": options["width"]} if "width" in options else {}
    model, localizer = application(backbone, **width), build(backbone, **options)
    path = folder / f"{backbone}.weights.h5"
    model.save_weights(path)
    weights = keras_applications.read(localizer, path)
    path.unlink()  # of up to 190 MB
    outcome = assign_weights(localizer, weights)
    assert set(outcome.assigned) == set(weights.arrays)
    fresh = ("localizer/backbone/head/classifier/", "localizer/foreground_generator/")
    assert all(path.startswith(fresh) for path in outcome.fresh)
    assert len(outcome.fresh) == 4  # kernel and bias of both
    return model, localizer


def layer_range(model, x, first, last):
    """What Keras's network makes of x from one layer's output to another's."""
    source = model.get_layer(first).output
    part = keras.Model(source, model.get_layer(last).output)
    return np.asarray(part(x, training=False))


def applied(layers, x):
    for layer in layers:
        x = layer(x)
    return np.asarray(x)


def layers_between(sequential, first, last):
    names = [layer.name for layer in sequential.layers]
    return sequential.layers[names.index(first) : names.index(last) + 1]


def assert_equal_to_rounding(ours, keras_own):
    assert ours.shape == keras_own.shape
    assert ours.dtype == keras_own.dtype == np.float64
    scale = np.abs(keras_own).max()
    assert 1e-3 < scale < 1e6  # something arrived
    np.testing.assert_allclose(ours / scale, keras_own / scale, rtol=0, atol=ROUNDING)


def photos(rng, side):
    return rng.integers(0, 256, [2, side, side, 3]).astype(np.float64)


def rectified(rng, *shape):
    return np.maximum(rng.normal(size=shape), 0)


@pytest.mark.slow
def test_vgg16(in_float64, tmp_path, rng):
    model, localizer = imported("vgg16", tmp_path)
    images = photos(rng, 64)
    bgr = images[..., ::-1] - CAFFE_MEAN_BGR
    trunk, head = localizer.backbone.trunk, localizer.backbone.head
    features = np.asarray(trunk(images))
    expected = layer_range(model, bgr, model.layers[0].name, "block4_conv3")
    assert_equal_to_rounding(features, expected)
    expected = layer_range(model, expected, "block4_conv3", "block5_conv3")
    assert_equal_to_rounding(applied(head.layers[:-1], features), expected)


@pytest.mark.slow
def test_resnet50(in_float64, tmp_path, rng):
    """A stride on a 1x1 convolution is taking every second pixel before it."""
    model, localizer = imported("resnet50", tmp_path)
    images = photos(rng, 64)
    bgr = images[..., ::-1] - CAFFE_MEAN_BGR
    trunk, head = localizer.backbone.trunk, localizer.backbone.head
    y = applied(layers_between(trunk, "scaling", "layer2_3"), images)
    expected = layer_range(model, bgr, model.layers[0].name, "conv3_block4_out")
    assert_equal_to_rounding(y, expected)
    x = rectified(rng, 2, 8, 8, 512)
    y = applied(layers_between(trunk, "layer3_0", "layer3_5"), x[:, ::2, ::2])
    expected = layer_range(model, x, "conv3_block4_out", "conv4_block6_out")
    assert_equal_to_rounding(y, expected)
    x = rectified(rng, 2, 8, 8, 1024)
    y = applied(layers_between(head, "layer4_0", "layer4_2"), x[:, ::2, ::2])
    expected = layer_range(model, x, "conv4_block6_out", "conv5_block3_out")
    assert_equal_to_rounding(y, expected)


@pytest.mark.slow
def test_mobilenet_v1(in_float64, tmp_path, rng):
    """Block 6 of Keras pads at the end only: its windows' centres are 1, 3, 5, ..."""
    model, localizer = imported("mobilenet_v1", tmp_path, width=0.25)
    images = photos(rng, 64)
    trunk, head = localizer.backbone.trunk, localizer.backbone.head
    y = applied(layers_between(trunk, "scaling", "block5"), images)
    scaled = images / 127.5 - 1
    expected = layer_range(model, scaled, model.layers[0].name, "conv_pw_5_relu")
    assert_equal_to_rounding(y, expected)
    x = rectified(rng, 2, 8, 8, 64)
    y = applied([trunk.get_layer("block6")], x)[:, 1::2, 1::2]
    assert_equal_to_rounding(
        y, layer_range(model, x, "conv_pw_5_relu", "conv_pw_6_relu")
    )
    x = rectified(rng, 2, 8, 8, 128)
    y = applied(layers_between(trunk, "block7", "block11"), x)
    expected = layer_range(model, x, "conv_pw_6_relu", "conv_pw_11_relu")
    assert_equal_to_rounding(y, expected)
    y = applied(head.layers[:-1], x)
    expected = layer_range(model, x, "conv_pw_11_relu", "conv_pw_13_relu")
    assert_equal_to_rounding(y, expected)


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    with networks.in_float64():
        return imported("inception_v3", tmp_path_factory.mktemp("inception"))


@pytest.mark.slow
def test_inception_v3s_stem(inception, in_float64, rng):
    """Keras pads neither the first window nor the pools: what lies behind each starts
    from random features. One more row above turns our first windows into Keras's."""
    model, localizer = inception
    trunk = localizer.backbone.trunk
    images = photos(rng, 33)
    grown = np.pad(images, [(0, 0), (1, 0), (1, 0), (0, 0)])
    y = applied(trunk.layers[:2], grown)[:, 1:, 1:]
    scaled = images / 127.5 - 1
    convolutions = model.layers[3].name, model.layers[9].name, model.layers[10].name
    expected = layer_range(model, scaled, model.layers[0].name, convolutions[0])
    assert_equal_to_rounding(y, expected)
    x = rectified(rng, 2, 15, 15, 32)
    y = applied(layers_between(trunk, "Conv2d_2a_3x3", "Conv2d_2b_3x3"), x)
    assert_equal_to_rounding(y, layer_range(model, x, *convolutions[:2]))
    x = rectified(rng, 2, 15, 15, 64)
    y = applied(layers_between(trunk, "Conv2d_3b_1x1", "Conv2d_4a_3x3"), x)
    expected = layer_range(model, x, convolutions[2], model.layers[16].name)
    assert_equal_to_rounding(y, expected)
    x = rectified(rng, 2, 15, 15, 192)
    y = applied([trunk.get_layer("Mixed_5b")], x)
    expected = layer_range(model, x, model.layers[17].name, "mixed0")
    assert_equal_to_rounding(y, expected)


@pytest.mark.slow
@pytest.mark.parametrize("block", MIXED)
def test_inception_v3s_blocks_of_stride_1(inception, in_float64, rng, block):
    model, localizer = inception
    part = localizer.backbone.head if "_7" in block else localizer.backbone.trunk
    x = rectified(rng, 2, 9, 9, model.get_layer(MIXED[block][0]).output.shape[-1])
    y = applied([part.get_layer(block)], x)
    assert_equal_to_rounding(y, layer_range(model, x, *MIXED[block]))


@pytest.mark.slow
def test_inception_v3s_block_whose_stride_was_removed(inception, in_float64, rng):
    """Keras's windows are centred on pixels 1, 3, 5, ... of an odd number."""
    model, localizer = inception
    x = rectified(rng, 2, 11, 11, 288)
    y = applied([localizer.backbone.trunk.get_layer("Mixed_6a")], x)[:, 1::2, 1::2]
    assert_equal_to_rounding(y, layer_range(model, x, "mixed2", "mixed3"))


@pytest.mark.slow
def test_inception_v3s_block_with_a_stride(inception, in_float64, rng):
    """Ours centres windows on 0, 2, 4, ...: without the first row, on Keras's 1, 3, 5.

    The missing row is within reach (3 pixels of the 7x7, 1 of the 3x3) of the windows
    on 1 and 3; the rest agrees.
    """
    model, localizer = inception
    x = rectified(rng, 2, 13, 13, 768)
    y = applied([localizer.backbone.head.get_layer("Mixed_7a")], x[:, 1:, 1:])
    expected = layer_range(model, x, "mixed7", "mixed8")
    assert_equal_to_rounding(y[:, 2:, 2:], expected[:, 2:, 2:])


@pytest.mark.slow
@pytest.mark.parametrize("width", keras_applications.WIDTHS)
def test_every_width_of_mobilenet_imports_from_a_legacy_file(tmp_path, rng, width):
    """Keras Applications' own files have the older HDF5 layout, written here by hand.

    In float32 against the stem and five blocks: eps 6e-8 a layer, 11 of them.
    """
    model = application("mobilenet_v1", alpha=width)
    localizer = build("mobilenet_v1", width=width)
    path = tmp_path / keras_applications.file_name(localizer)
    write_legacy(model, path)
    assign_weights(localizer, keras_applications.read(localizer, path))
    images = photos(rng, 32)
    y = applied(layers_between(localizer.backbone.trunk, "scaling", "block5"), images)
    scaled = images / 127.5 - 1
    expected = layer_range(model, scaled, model.layers[0].name, "conv_pw_5_relu")
    assert expected.dtype == np.float32 and expected.max() > 1
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


def write_legacy(model, path):
    layers = [layer for layer in model.layers if layer.weights]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group, names = file.create_group(layer.name), []
            for variable in layer.weights:
                names.append(f"{layer.name}/{variable.name}:0".encode())
                group[names[-1].decode()] = np.asarray(variable)
            group.attrs["weight_names"] = names


@pytest.mark.parametrize(
    "backbone, options, message",
    [
        (
            "mobilenet_v1",
            {"variant": "paper"},
            "model.variant is 'paper', but .*'keras'",
        ),
        ("resnet50", {"variant": "paper"}, "model.variant is 'paper', but .*'keras'"),
        ("mobilenet_v1", {"width": 0.3}, "model.width is 0.3; .* 0.25, 0.5, 0.75, 1.0"),
        # The stem has 8 channels, as at width 0.25.
        ("mobilenet_v1", {"width": 0.125}, "model.width is 0.125; .* for 0.25, "),
    ],
)
def test_networks_without_weights(backbone, options, message):
    with pytest.raises(UserError, match=message):
        keras_applications.read(build(backbone, **options))


def test_another_backbone():
    with pytest.raises(UserError, match="^--backbone=shallow: .* vgg16, resnet50"):
        keras_applications.read(narrow_localizer())


@pytest.fixture(scope="module")
def narrow():
    """Which no file that is refused has changed."""
    return build("mobilenet_v1", width=0.25)


def only_line(localizer, path):
    with pytest.raises(UserError) as error:
        keras_applications.read(localizer, path)
    line = str(error.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    return line


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_a_truncated_file(narrow, tmp_path, suffix):
    model, path = application("mobilenet_v1", alpha=0.25), tmp_path / f"cut{suffix}"
    write_legacy(model, path) if suffix == ".h5" else model.save_weights(path)
    path.write_bytes(path.read_bytes()[:100_000])
    assert "mobilenet_2_5_224_tf_no_top.h5" in only_line(narrow, path)


def test_a_file_with_the_classifier(narrow, tmp_path):
    """conv_preds is one layer more than the 27 convolutions and 27 BatchNorms."""
    path = tmp_path / "top.h5"
    write_legacy(keras.applications.MobileNet(alpha=0.25, weights=None), path)
    assert "expected 54 layers, found 55" in only_line(narrow, path)


def test_a_file_of_another_width(narrow, tmp_path):
    path = tmp_path / "half.h5"
    write_legacy(application("mobilenet_v1", alpha=0.5), path)
    assert "(3, 3, 3, 8)" in only_line(narrow, path)


def test_a_file_of_another_network(narrow, tmp_path):
    path = tmp_path / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    assert "54 objects could not be loaded" in only_line(narrow, path)


def test_no_file_and_no_hdf5(narrow, tmp_path):
    assert "no such file" in only_line(narrow, tmp_path / "missing.h5")
    path = tmp_path / "text.h5"
    path.write_text("not HDF5")
    assert "not readable as mobilenet_2_5_224_tf_no_top.h5" in only_line(narrow, path)


DOWNLOAD = """
import json
import sys
from bas_tf.errors import UserError
from bas_tf.models import build_localizer
from bas_tf.models.weights import keras_applications
found = []
for backbone, options in json.loads(sys.argv[1]):
    localizer = build_localizer(
        backbone=backbone, num_classes=2, input_size_wh=(32, 32),
        backbone_options=options,
    )
    try:
        keras_applications.read(localizer)
        found.append(None)
    except UserError as error:
        found.append((str(error), str(error.__cause__)))
print(json.dumps(found))
"""


def download(home, backbones):
    """[(error, its cause) or None] of `read` where a proxy refuses every connection."""
    proxy = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", DOWNLOAD, json.dumps(backbones)],
        capture_output=True,
        text=True,
        env=os.environ | proxy | {"HTTPS_PROXY": proxy["https_proxy"], "no_proxy": ""},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_without_network_the_cache_is_read_or_its_place_named(tmp_path):
    """Of MobileNet, whose hash Keras does not check, a good and a damaged file."""
    folder = tmp_path / "models"
    folder.mkdir()
    good = folder / "mobilenet_2_5_224_tf_no_top.h5"
    write_legacy(application("mobilenet_v1", alpha=0.25), good)
    damaged = folder / "mobilenet_5_0_224_tf_no_top.h5"
    damaged.write_text("half a page")
    of_keras = {"variant": "keras"}
    cached, broken, *missing = download(tmp_path, [
        ("mobilenet_v1", of_keras | {"width": 0.25}),
        ("mobilenet_v1", of_keras | {"width": 0.5}),
        ("mobilenet_v1", of_keras | {"width": 0.75}),
        ("vgg16", {}), ("resnet50", of_keras), ("inception_v3", of_keras),
    ])  # fmt: skip
    assert cached is None
    assert broken[0].startswith(f"{damaged}: not readable (")
    assert len(missing) == len(keras_applications.APPLICATIONS)
    for line, cause in missing:
        file = line.partition(": ")[0]
        assert f"/{file}: None -- " in cause  # Keras tried a URL that ends in it
        assert f"put the file into {folder}, or give it to" in line
        assert f"--source=keras_applications --checkpoint={file}" in line
