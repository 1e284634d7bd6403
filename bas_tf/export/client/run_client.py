"""Photos in, lines of results.jsonl and overlay PNGs out, a few batches at a time."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bas_tf import files
from bas_tf.data import decode
from bas_tf.errors import DataError, one_line
from bas_tf.export.client import photos
from bas_tf.export.client.connection import ServingClient
from bas_tf.export.client.results_file import ResultsFile, Row
from bas_tf.export.client.served import Served, ServingError
from bas_tf.metrics.confidence import is_found
from bas_tf.report import pictures

OVERLAYS = "overlays"


def localize_photos(
    found: Mapping[Path, Path],
    results: ResultsFile,
    client: ServingClient,
    *,
    output: Path,
    class_id: int | None,
    batch_size: int,
    concurrency: int,
    draws_overlays: bool,
) -> int:
    """Localizes the photos that have no result yet.

    Only the calling thread writes results.jsonl, a photo's line after its overlay: a
    run that ended early continues with the next call.

    Args:
      found: of `photos.find_photos`.
      client: is closed when the work is broken off.
      output: the folder of OVERLAYS.
      class_id: localize this class; None localizes what the model predicts.
      concurrency: how many batches are read, sent and drawn at a time.

    Returns:
      How many failed; each gets a line on standard error.

    Raises:
      UserError: the output cannot be written, or an overlay is one of the photos.
    """
    todo = [path for path in found if not results.has_result(str(path))]
    overlays = {}
    if draws_overlays:
        taken = {row.get("overlay") for row in results.rows.values()}
        overlays = _overlay_names({path: found[path] for path in todo}, taken)
    files.check_not_inputs([output / name for name in overlays.values()], found)
    results.start(map(str, todo))

    def localize(batch: Sequence[Path]) -> list[Row]:
        rows = _localized(client, batch, class_id)
        return [_drawn(rows[path], overlays.get(path), output) for path in batch]

    failed, done = 0, len(found) - len(todo)
    batches = [todo[i : i + batch_size] for i in range(0, len(todo), batch_size)]
    with (
        tqdm(total=len(found), initial=done, unit="photo", disable=None) as bar,
        contextlib.closing(_rows(localize, batches, concurrency, client)) as rows,
    ):
        for row in rows:
            results.add(row)
            bar.update()
            if "error" in row:
                failed += 1
                tqdm.write(f"error: {row['file']}: {row['error']}", file=sys.stderr)
    return failed


def _rows(localize, batches, concurrency: int, client) -> Iterator[Row]:
    """The rows of each batch as it ends; closed early, it waits for no answer."""
    with futures.ThreadPoolExecutor(concurrency) as pool:
        work = [pool.submit(localize, batch) for batch in batches]
        try:
            for ended in futures.as_completed(work):
                yield from ended.result()
        except BaseException:  # such as Ctrl-C, or GeneratorExit
            pool.shutdown(wait=False, cancel_futures=True)
            client.close()
            raise


def _overlay_names(photos: Mapping[Path, Path], taken: set[str]) -> dict[Path, str]:
    """{photo: name of its PNG in the output}; the names are added to those taken."""
    overlays = {}
    for path, inside in photos.items():
        stem = f"{OVERLAYS}/{inside.with_suffix('').as_posix()}_localized"
        overlays[path] = files.unused_name(stem, ".png", taken)
        taken.add(overlays[path])
    return overlays


def _localized(
    client: ServingClient, batch: Sequence[Path], class_id: int | None
) -> dict[Path, Row]:
    """A row for each photo of the batch, not drawn yet."""
    rows, sent = {}, {}
    for path in batch:
        try:
            sent[path] = photos.encoded(path)
        except DataError as error:
            rows[path] = _failed(path, error)
    images = [encoded.content for encoded in sent.values()]
    try:
        if class_id is None:
            answers = client.localize(images)
        else:
            answers = client.localize_class(images, [class_id] * len(images))
    except ServingError as error:
        return rows | {path: _failed(path, error) for path in sent}
    for (path, encoded), answer in zip(sent.items(), answers, strict=True):
        rows[path] = _row(path, encoded.size_wh, answer)
    return rows


def _row(path: Path, size_wh: tuple[int, int], answer: Served) -> Row:
    """A line of results.jsonl; an error where the server saw another size."""
    fault, (width, height) = answer.fault, size_wh
    if not fault and answer.size_wh != size_wh:
        seen = " x ".join(map(str, answer.size_wh))
        fault = f"the server decoded {seen} pixels of a photo of {width} x {height}"
    if fault:
        return {"file": str(path), "error": fault}
    columns = zip(answer.class_ids, answer.class_names, answer.scores, strict=False)
    keys = ("class_id", "class_name", "score")  # a given class has the first alone
    top = [dict(zip(keys, row, strict=True)) for row in columns]
    return {
        "file": str(path),
        "class_id": answer.class_ids[0],
        "class_name": top[0]["class_name"] if top else None,
        "score": top[0]["score"] if top else None,
        "top": top,
        "box": [round(value, 2) for value in answer.box],
        "degenerate": answer.degenerate,
        **_trust(answer),
        "width": width,
        "height": height,
        "overlay": None,
    }


def _trust(answer: Served) -> Row:
    """The confidence and whether an object is found; nothing of an older model."""
    if answer.confidence is None:
        return {}
    name = next(iter(answer.class_names), None)  # a given class has none
    return {
        "confidence": round(answer.confidence, 4),
        "found": is_found(name, answer.confidence),
    }


def _drawn(row: Row, overlay: str | None, output: Path) -> Row:
    """The row of a photo whose overlay is written, if it is to have one."""
    if overlay is None or "error" in row:
        return row
    name = row["class_name"]
    label = f"class {row['class_id']}" if name is None else f"{name} {row['score']:.2f}"
    try:
        picture = decode.decode_image(row["file"])
    except DataError as error:
        return _failed(Path(row["file"]), error)
    drawn = pictures.overlay(picture, boxes=[np.asarray(row["box"])], labels=[label])
    pictures.write_png(output / overlay, drawn, of_photo=True)
    return {**row, "overlay": overlay}


def _failed(path: Path, error: Exception) -> Row:
    return {"file": str(path), "error": one_line(error).removeprefix(f"{path}: ")}
