"""The command `bas-tf`: each job of the package by its name.

  bas-tf train --config=butterflies_efficientnet_lite0 --config.data.root=photos \
      --workdir=runs/photos
  bas-tf export --format=int8 --workdir=runs/photos --output=exported

`bas-tf COMMAND --help` has the flags; they are those of `python -m MODULE`.
"""

import runpy
import sys

COMMANDS = {
    "train": "bas_tf.train",
    "evaluate": "bas_tf.evaluate",
    "localize": "bas_tf.localize",
    "annotate": "bas_tf.annotate",
    "refine": "bas_tf.refine",
    "check-data": "bas_tf.check_data",
    "compare": "bas_tf.compare",
    "ablate": "bas_tf.ablate",
    "analyze-activation": "bas_tf.analyze_activation",
    "import-weights": "bas_tf.import_weights",
    "export": "bas_tf.export.any_format",
    "tflite": "bas_tf.export.tflite",
    "saved-model": "bas_tf.export.saved_model",
    "onnx": "bas_tf.export.onnx",
    "verify": "bas_tf.export.verify",
    "benchmark": "bas_tf.export.benchmark",
    "layer-errors": "bas_tf.export.layer_errors",
    "web": "bas_tf.export.web",
    "serving-client": "bas_tf.export.serving_client",
    "demo": "bas_tf.export.demo",
}


def main() -> None:
    """Runs a command as `python -m` would; exits 2 for an unknown one."""
    name, *args = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        listed = "\n".join(f"  {n:20} python -m {m}" for n, m in COMMANDS.items())
        print(f"{__doc__}\n{listed}")
    elif name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"error: bas-tf {name}: unknown command; known: {known}", file=sys.stderr)
        sys.exit(2)
    else:
        sys.argv = [f"bas-tf {name}", *args]
        runpy.run_module(COMMANDS[name], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
