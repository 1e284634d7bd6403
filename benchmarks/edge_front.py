r"""Which edge file is worth shipping: accuracy, size and latency of 32 of them.

  python -m benchmarks.edge_front --data=DIR --workdir=runs/front \
      [--heads=linear,separable] [--sizes=96,128,160,224] [--output=front.png]

EfficientNet-Lite0 of configs/butterflies_efficientnet_lite0.py with each head and input
size, seed 0, resized to 1.15 times the crop; each training exported in every
quantization and evaluated by protocol bas on split val at the config's threshold; then
all files timed alternately, on two threads. About 8 minutes a training on two cores;
called again, it goes on where it stopped.

WORKDIR/<head>_<size> is an ordinary training workdir, with its files in export/ and
their figures in evaluated/; delete it to have it anew. WORKDIR/front.json:
  config, protocol, split, num_images, score_threshold, num_threads    how it was made
  rows   head, size, quantization, top1_loc, predicted_map_loc (and @0.7),
         predicted_map_iou, size_bytes, p50_ms, p95_ms, ...; on_front: no other file is
         at once as fast, as small and as accurate (predicted_map_iou); is_knee

The knee is the default to ship, see `edge_front_rows.knee`.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.errors import UserError
from bas_tf.jobs import resuming
from bas_tf.report import text_table
from benchmarks.edge_front_rows import marked

CONFIG = "configs/butterflies_efficientnet_lite0.py"
SPLIT, NUM_THREADS, MARGIN = "val", 2, 1.15
COLUMNS = {
    "top1_loc": "Top-1 Loc",
    "predicted_map_loc": "Box right",
    "predicted_map_loc@0.7": "IoU 0.7",
    "predicted_map_iou": "mean IoU",
}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A training of the front, of model.classifier=head and images of size x size."""

    head: str
    size: int
    workdir: Path

    def file(self, quantization: str) -> Path:
        from bas_tf.export.litert import conversion

        name = conversion.file_name("full", quantization, "uint8")
        return self.workdir / "export" / name


def settings(candidate: Candidate, data: str) -> dict:
    """What differs from the config, by key."""
    resized = round(MARGIN * candidate.size)
    return {
        "data.root": data,
        "data.resize_size": (resized, resized),
        "data.crop_size": (candidate.size, candidate.size),
        "model.classifier": candidate.head,
        "train.seed": 0,
    }


def train(candidate: Candidate, config_name: str, data: str) -> None:
    """Trains in its own process, unless WORKDIR/metrics.json exists."""
    from bas_tf.jobs import results

    changes, workdir = settings(candidate, data), candidate.workdir
    if (workdir / results.METRICS_FILE).is_file():
        check_trained(workdir, changes)
        return
    done = subprocess.run(
        [sys.executable, "-m", "bas_tf.train", f"--config={config_name}",
         f"--workdir={workdir}",
         *(f"--config.{key}={value}" for key, value in changes.items())],
        stdout=sys.stderr,
    )  # fmt: skip
    if done.returncode or not (workdir / results.METRICS_FILE).is_file():
        raise UserError(
            f"{workdir}: its training ended early, with exit code {done.returncode}; "
            "the same command goes on from its last checkpoint"
        )


def check_trained(workdir: Path, changes: Mapping) -> None:
    """Raises UserError when a workdir was trained with other settings than these."""
    from bas_tf.jobs import experiment

    trained = experiment.load_experiment(workdir)
    config = trained.config.copy_and_resolve_references()
    config.update_from_flattened_dict(changes)
    resuming.check_workdir(workdir, config, trained.class_names)


def export(candidate: Candidate) -> dict[str, Path]:
    """{quantization: its file}, written unless all are there."""
    from bas_tf.export.litert import conversion

    paths = {key: candidate.file(key) for key in conversion.QUANTIZATIONS}
    if not all(path.is_file() for path in paths.values()):
        conversion.export_tflite(
            candidate.workdir, candidate.workdir / "export", list(paths)
        )
    return paths


def evaluate(candidate: Candidate, paths: Mapping[str, Path], data: str) -> dict:
    """{quantization: its metrics.json}, each kept as soon as it is known."""
    from bas_tf import files
    from bas_tf.jobs import evaluation, experiment

    kept = {key: candidate.workdir / "evaluated" / f"{key}.json" for key in paths}
    left = [key for key, path in kept.items() if not path.is_file()]
    if left:
        trained = experiment.load_experiment(candidate.workdir)
        trained.config.data.root = data
        evaluating = evaluation.Evaluator(
            trained.config, split=SPLIT, class_names=trained.class_names
        )
    for key in left:
        runner = experiment.load_runner(paths[key])
        evaluated = evaluating.evaluate(runner, model=str(paths[key]))
        files.write_json(kept[key], evaluated.document)
    return {
        key: json.loads(path.read_text(encoding="utf-8")) for key, path in kept.items()
    }


def time_files(paths: Mapping[str, Path], sizes: Mapping[str, int]) -> dict[str, dict]:
    """{name: latencies and memory}, as `benchmark.measure`, of files of many sizes."""
    from bas_tf.export.evaluation import timing

    drawn = {size: timing.drawings((size, size)) for size in set(sizes.values())}
    with timing.taking_turns(
        paths,
        {name: drawn[size] for name, size in sizes.items()},
        num_threads=NUM_THREADS,
        rounds=timing.ROUNDS,
    ) as processes:
        return {name: process.finish() for name, process in processes.items()}


def measure_front(
    candidates: Sequence[Candidate], *, config_name: str, data: str
) -> dict:
    """Trains, exports, evaluates and times what is missing: what front.json has."""
    rows, paths, sizes = [], {}, {}
    for candidate in candidates:
        train(candidate, config_name, data)
        exported = export(candidate)
        documents = evaluate(candidate, exported, data)
        for quantization, document in documents.items():
            name = f"{candidate.workdir.name}_{quantization}"
            paths[name], sizes[name] = exported[quantization], candidate.size
            rows.append(
                {
                    "head": candidate.head,
                    "size": candidate.size,
                    "quantization": quantization,
                    **{key: document["metrics"][key] for key in COLUMNS},
                    "size_bytes": paths[name].stat().st_size,
                }
            )
    speed = time_files(paths, sizes)
    rows = [{**row, **speed[name]} for row, name in zip(rows, paths, strict=True)]
    keys = ("protocol", "split", "num_images", "score_threshold")
    return {
        "config": config_name,
        **{key: document[key] for key in keys},
        "num_threads": NUM_THREADS,
        "rows": marked(rows),
    }


def front_table(document: Mapping) -> str:
    """What was measured, one Markdown row a file of front.json, and the knee."""
    names = ["head", "size", "quantization", *COLUMNS.values(), "MB", "p50 ms", "front"]
    rows = document["rows"]
    table = text_table.markdown([names, *map(_cells, rows)], text_columns=3)
    (best,) = (row for row in rows if row["is_knee"])
    return (
        f"Protocol {document['protocol']}, split {document['split']}, "
        f"{document['num_images']} images, threshold {document['score_threshold']:g}; "
        f"{document['num_threads']} threads; front: of latency, size and mean IoU\n\n"
        f"{table}\n\n"
        f"Knee of latency and mean IoU: {best['head']}, {best['size']} pixels, "
        f"{best['quantization']}"
    )


def _cells(row: Mapping) -> list[str]:
    return [
        row["head"],
        str(row["size"]),
        row["quantization"],
        *(f"{100 * row[key]:.1f}" for key in COLUMNS),
        f"{row['size_bytes'] / 1e6:.1f}",
        f"{row['p50_ms']:.2f}",
        "knee" if row["is_knee"] else "yes" if row["on_front"] else "",
    ]


def parse_sizes(sizes: Sequence[str]) -> list[int]:
    """Raises UserError for what is no positive multiple of 32."""
    for size in sizes:
        if not size.isdecimal() or int(size) % 32 or not int(size):
            raise UserError(
                f"--sizes: {size!r} is no multiple of 32; as --sizes=96,128,160,224"
            )
    return [int(size) for size in sizes]


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.report.plots.chart_style import png_of
    from benchmarks import edge_front_plot

    workdir = Path(flags.FLAGS.workdir)
    candidates = [
        Candidate(head, size, workdir / f"{head}_{size}")
        for head in flags.FLAGS.heads
        for size in parse_sizes(flags.FLAGS.sizes)
    ]
    document = measure_front(candidates, config_name=CONFIG, data=flags.FLAGS.data)
    files.write_json(workdir / "front.json", document)
    files.write_file(
        flags.FLAGS.output or workdir / "front.png",
        png_of(edge_front_plot.front_figure(document["rows"])),
    )
    print(front_table(document))


if __name__ == "__main__":
    entry_point.define_path("data", None, "The butterflies' folder.", required=True)
    entry_point.define_path("workdir", None, "Where trainings go.", required=True)
    flags.DEFINE_list("heads", ["linear", "separable"], "Of model.classifier.")
    flags.DEFINE_list("sizes", ["96", "128", "160", "224"], "Multiples of 32.")
    entry_point.define_path("output", None, "The plot; default WORKDIR/front.png.")
    entry_point.run(main)
