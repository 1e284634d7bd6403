r"""Converts other people's trained weights to a weights file of this project.

  python -m bas_tf.import_weights --source=bas_official --backbone=vgg16 \
      --num_classes=200 --checkpoint=FILE.pth.tar --output=FILE.weights.h5

Sources: bas_official (checkpoints of the method's PyTorch reference, CUB or ILSVRC),
torchvision (VGG16, ResNet50, InceptionV3), keras_applications (VGG16, ResNet50,
MobileNet, InceptionV3; downloads without --checkpoint) and efficientnet_lite. Train
from the file with --config.model.weights=FILE; add --config.train.epochs=0 to turn it
into a workdir without training, to evaluate, localize and export.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.jobs import weights_import

    values = flags.FLAGS
    for name in ("source", "backbone", "num_classes", "output"):
        if values[name].value is None:
            raise UserError(f"--{name} is missing")
    weights_import.run_import(
        source=values.source,
        backbone=values.backbone,
        num_classes=values.num_classes,
        checkpoint=values.checkpoint,
        output=Path(values.output),
        width=values.width,
        partial=values.partial,
    )


if __name__ == "__main__":
    flags.DEFINE_string("source", None, "Where the weights come from: see above.")
    flags.DEFINE_string("backbone", None, "vgg16, resnet50, ...")
    flags.DEFINE_integer("num_classes", None, "Number of classes.")
    entry_point.define_path("checkpoint", None, "The file to read.")
    entry_point.define_path("output", None, "The file to write, FILE.weights.h5.")
    flags.DEFINE_float("width", 1.0, "mobilenet_v1: channel multiplier.")
    flags.DEFINE_bool("partial", False, "Load what matches; the rest stays random.")
    entry_point.run(main)
