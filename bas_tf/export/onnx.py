r"""Exports a trained localizer as an ONNX file for ONNX Runtime.

  python -m export.onnx --workdir=runs/demo --output=runs/demo/export

Opset 18, operators of the default domain only. The file's metadata has, as JSON, the
class names (`labels`), the threshold of the boxes (`score_threshold`), and how many
classes' maps are averaged (`top_k`).
"""

from absl import flags

from bas_tf import entry_point
from bas_tf.export.artifacts import onnx_files


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    path = onnx_files.export_onnx(flags.FLAGS.workdir, flags.FLAGS.output)
    print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("output", None, "The folder to write to.", required=True)
    entry_point.run(main)
