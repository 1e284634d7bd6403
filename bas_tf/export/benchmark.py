r"""Measures latency and memory of exported files on this machine.

  python -m export.benchmark --artifacts=runs/demo/export --output=bench.json \
      --num_threads=2

Each file runs in its own process, one image (a drawing) at a time; the files take
turns, so that other load on the machine affects all of them.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.export.evaluation import timing


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.export.evaluation import verification

    files.check_place(flags.FLAGS.output)
    artifacts = verification.find_artifacts(Path(flags.FLAGS.artifacts))
    files.check_not_inputs([flags.FLAGS.output], artifacts.values())
    size_wh = timing.input_size(artifacts)
    rows = timing.measure(
        artifacts, size_wh=size_wh, num_threads=flags.FLAGS.num_threads
    )
    document = {
        "num_threads": flags.FLAGS.num_threads,
        "runs": timing.RUNS * timing.ROUNDS,
        "rows": [{"name": name, **row} for name, row in rows.items()],
    }
    files.write_json(flags.FLAGS.output, document)
    print(timing.format_rows(rows))


if __name__ == "__main__":
    entry_point.define_path(
        "artifacts", None, "A folder of exported files.", required=True
    )
    entry_point.define_path("output", None, "The JSON file to write.", required=True)
    flags.DEFINE_integer("num_threads", 2, "Threads for inference.", lower_bound=1)
    entry_point.run(main)
