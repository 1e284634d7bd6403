"""Photos in, lines of results.jsonl and overlay PNGs out, a few batches at a time."""

import dataclasses
import sys
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bas_tf import files, visualize
from bas_tf.data import decode
from bas_tf.errors import DataError, one_line
from export.serving import photos
from export.serving.photos import Encoded, Photo
from export.serving.results_file import ResultsFile, Row
from export.serving.served import Served, ServingError
from export.serving.serving_client import ServingClient

OVERLAYS = "overlays"


@dataclasses.dataclass(frozen=True)
class Asked:
    """A photo, and the overlay that is to be drawn of it (inside the output)."""

    photo: Photo
    overlay: str | None

    @property
    def file(self) -> str:
        """What results.jsonl calls it."""
        return str(self.photo.path)


@dataclasses.dataclass(frozen=True)
class BatchLocalizer:
    """Localizes a batch of photos and draws them; for any number of threads.

    Attributes:
      client: asks the server.
      output: the overlays' root.
      class_id: localize this class; None localizes what the model predicts.
    """

    client: ServingClient
    output: Path
    class_id: int | None

    def __call__(self, batch: Sequence[Asked]) -> list[Row]:
        """A row for each photo of the batch; the overlays are written by then."""
        rows, sent = [], []
        for asked in batch:
            try:
                sent.append((asked, photos.encoded(asked.photo.path)))
            except DataError as error:
                rows.append(_failed(asked, error))
        images = [encoded.content for _, encoded in sent]
        try:
            answers = (
                self.client.localize(images)
                if self.class_id is None
                else self.client.localize_class(images, [self.class_id] * len(images))
            )
        except ServingError as error:
            return rows + [_failed(asked, error) for asked, _ in sent]
        for (asked, encoded), answer in zip(sent, answers, strict=True):
            try:
                row = _row(asked, encoded, answer)
                if asked.overlay is not None:
                    self._draw(row, encoded.content)
            except (ServingError, DataError) as error:
                row = _failed(asked, error)
            rows.append(row)
        return rows

    def _draw(self, row: Row, content: bytes) -> None:
        name = row["class_name"]
        drawn = visualize.overlay(
            np.asarray(decode.decode_picture(content, row["file"])),
            boxes=[np.asarray(row["box"])],
            label=f"class {row['class_id']}"
            if name is None
            else f"{name} {row['score']:.2f}",
        )
        visualize.write_png(self.output / row["overlay"], drawn)


def localize_photos(
    found: Sequence[Photo],
    results: ResultsFile,
    localize_batch: BatchLocalizer,
    *,
    batch_size: int,
    concurrency: int,
    draws_overlays: bool,
) -> int:
    """Localizes the photos that have no result yet.

    At most `concurrency` batches are read, sent and drawn at a time. Only the calling
    thread writes results.jsonl; a photo's line comes after its overlay, so that a run
    that was ended anyhow is continued by another call.

    Args:
      found: the photos.
      results: gets a line for each.
      localize_batch: does one batch; its client is closed when the work is broken off.
      batch_size: photos a call, at least 1.
      concurrency: at least 1.
      draws_overlays: whether each photo is drawn.

    Returns:
      How many failed; each is told in a line on standard error.

    Raises:
      UserError: the output cannot be written, or an overlay is one of the photos.
    """
    todo = [photo for photo in found if not results.has_result(str(photo.path))]
    asked = _with_overlays(todo, results, draws_overlays=draws_overlays)
    files.check_not_inputs(
        [localize_batch.output / a.overlay for a in asked if a.overlay],
        [photo.path for photo in found],
    )
    results.start(a.file for a in asked)
    batches = [asked[i : i + batch_size] for i in range(0, len(asked), batch_size)]
    done, failed = len(found) - len(todo), 0
    with (
        tqdm(total=len(found), initial=done, unit="photo", disable=None) as bar,
        futures.ThreadPoolExecutor(concurrency) as pool,
    ):
        work = [pool.submit(localize_batch, batch) for batch in batches]
        try:
            for ended in futures.as_completed(work):
                for row in ended.result():
                    results.add(row)
                    if "error" in row:
                        failed += 1
                        line = f"error: {row['file']}: {row['error']}"
                        tqdm.write(line, file=sys.stderr)
                    bar.update()
        except BaseException:  # such as Ctrl-C: wait for no answer that is due
            pool.shutdown(wait=False, cancel_futures=True)
            localize_batch.client.close()
            raise
    return failed


def _with_overlays(
    todo: Sequence[Photo], results: ResultsFile, *, draws_overlays: bool
) -> list[Asked]:
    """Each photo with an overlay name that no other photo of the output has."""
    if not draws_overlays:
        return [Asked(photo, None) for photo in todo]
    taken = {row.get("overlay") for row in results.rows.values()}
    named = []
    for photo in todo:
        stem = f"{OVERLAYS}/{photo.relative.with_suffix('').as_posix()}_localized"
        name = files.unused_name(stem, ".png", taken)
        taken.add(name)
        named.append(Asked(photo, name))
    return named


def _row(asked: Asked, encoded: Encoded, answer: Served) -> Row:
    """A line of results.jsonl.

    Raises:
      ServingError: the server had no answer for this photo, or saw it otherwise.
    """
    if answer.fault:
        raise ServingError(answer.fault)
    width, height = encoded.size_wh
    if answer.size_wh != encoded.size_wh:
        seen = " x ".join(map(str, answer.size_wh))
        raise ServingError(
            f"the server decoded {seen} pixels of a photo of {width} x {height}"
        )
    top = [
        {"class_id": class_id, "class_name": name, "score": score}
        for class_id, name, score in zip(
            answer.class_ids, answer.class_names, answer.scores, strict=False
        )
    ]
    return {
        "file": asked.file,
        "class_id": answer.class_ids[0],
        "class_name": top[0]["class_name"] if top else None,
        "score": top[0]["score"] if top else None,
        "top": top,
        "box": [round(value, 2) for value in answer.box],
        "degenerate": answer.degenerate,
        "width": width,
        "height": height,
        "overlay": asked.overlay,
    }


def _failed(asked: Asked, error: Exception) -> Row:
    message = one_line(error).removeprefix(f"{asked.file}: ")
    return {"file": asked.file, "error": message}
