r"""Checks a config's data before you spend hours on training.

  python -m bas_tf.check_data --config=configs/X.py --config.data.root=DIR \
      --output=data.json

Reads every image, mask and box of train, val and test and reports everything in one
run: counts by split and class, sizes, images in several splits, unreadable files, boxes
and masks that do not fit their image. --output writes the same as JSON, with every
fault (the terminal shows the first 20 of each kind).

  python -m bas_tf.check_data --config=configs/X.py --config.data.root=DIR \
      --write_shards=SHARDS

also packs the splits into large files, for sets of many small files. Train on them with
--config.data.source=shards --config.data.root=SHARDS.

Exit codes: 0 no fault, 1 a fault in the data, 2 a user error in flags or settings.
"""

import functools
import sys
from pathlib import Path

from absl import flags

from bas_tf import entry_point

EXIT_FAULTS = 1


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.data.sources import shards
    from bas_tf.jobs import data_check, experiment, output_check
    from bas_tf.report import data_table

    config = entry_point.config()
    folder = flags.FLAGS.write_shards
    if flags.FLAGS.output:
        output_check.check_outputs(
            [flags.FLAGS.output], config=config, others=[entry_point.config_file()]
        )
    if folder:
        shards.check_target(Path(folder))
    open_source = functools.cache(functools.partial(experiment.open_source, config))
    report = data_check.run_check(
        open_source,
        name=config.data.source,
        root=config.data.root,
    )
    document = report.document()
    print(data_table.format_data(document))
    if flags.FLAGS.output:
        files.write_json(flags.FLAGS.output, document)
    if folder:
        counts = shards.write_shards(
            open_source(),
            list(report.splits),
            Path(folder),
            on_bad_image=flags.FLAGS.on_bad_image,
        )
        print(f"{folder}: {', '.join(f'{n} of {s}' for s, n in counts.items())}")
    if report.faults:
        sys.exit(EXIT_FAULTS)


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    entry_point.define_path("output", None, "A JSON file to write.")
    entry_point.define_path(
        "write_shards", None, "A folder to write array_record files to."
    )
    entry_point.run(main)
