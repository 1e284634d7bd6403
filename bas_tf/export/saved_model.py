r"""Exports a trained localizer as a SavedModel, or as a server's next version.

  python -m export.saved_model --workdir=runs/demo --output=runs/demo/export/saved_model
  python -m export.saved_model --workdir=runs/demo --serving_dir=models/bas

A running TensorFlow Serving picks up the new version in --serving_dir by itself. The
server's config files and two ways to start it are written next to the versions;
existing ones are kept.
"""

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError
from bas_tf.export.artifacts import saved_models


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    workdir, output = flags.FLAGS.workdir, flags.FLAGS.output
    serving_dir = flags.FLAGS.serving_dir
    if bool(output) == bool(serving_dir):
        raise UserError(
            f"--output={output or ''} --serving_dir={serving_dir or ''}: one of "
            "the two is needed, a folder to write or one to add a version to"
        )
    print(
        saved_models.export_saved_model(workdir, output)
        if output
        else saved_models.export_version(workdir, serving_dir)
    )


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path("output", None, "The folder to write.")
    entry_point.define_path("serving_dir", None, "The folder to add a version to.")
    entry_point.run(main)
