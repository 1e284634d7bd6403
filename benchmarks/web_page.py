r"""What the browser page weighs, and its int8 network against LiteRT's own.

  python -m benchmarks.web_page --artifacts=DIR --output=web_page.json

DIR is a folder of export.tflite with an int8 file. The page runs in headless Chromium
(Debian's chromium and chromium-driver, selenium), served from this machine, on a fresh
profile:

  weight     bytes that the browser loads before it is ready, the model left out, as
             they lie and gzipped
  first box  from the start of the page's loading to the first answer, of a drawing
             given as soon as the page is ready, one value a round
  network    milliseconds for an image as the page tells them (pixels in, numbers out)
             over those of LiteRT's interpreter with as many threads, in turns; the
             median ratio over the rounds, and the lowest and highest
"""

import gzip
import tempfile
import time
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from benchmarks.method_speed import turns


def page_weight(site: Path, names: list[str]) -> dict[str, int]:
    """Bytes of the site's files of these names, and of each gzipped."""
    contents = [(site / name).read_bytes() for name in names]
    return {
        "bytes": sum(map(len, contents)),
        "gzipped_bytes": sum(len(gzip.compress(content)) for content in contents),
    }


def loaded_names(urls: list[str], address: str) -> list[str]:
    """The files of the site at an address that a page there has loaded.

    Its models are left out, and what is of no site, as a worker's script in memory.
    """
    names = {url.removeprefix(address) for url in urls if url.startswith(address)}
    names = names - {""} | {"index.html"}
    return sorted(name for name in names if not name.startswith("models/"))


def ratios(page_ms: list[float], native_ms: list[float]) -> dict[str, float]:
    """Of each round's milliseconds: "median", "lowest" and "highest"."""
    median, lowest, highest = turns.ratios(page_ms, native_ms)
    return {"median": median, "lowest": lowest, "highest": highest}


def page_milliseconds(page, path: Path) -> float:
    """What the page says that its network took for a photo."""
    page.choose(path)
    page.answer_of(path.name)
    return float(page.text("timing").split()[1])


def native_milliseconds(runner, images) -> list[float]:
    """What LiteRT's interpreter takes for each image, after one that does not count."""
    runner.predict_fn(images[:1])
    found = []
    for image in images:
        start = time.perf_counter()
        runner.predict_fn(image[None])
        found.append(1e3 * (time.perf_counter() - start))
    return found


def one_round(driver, address: str, paths: list[Path], load_runner, images) -> dict:
    """A fresh browser's first box, then the network in the page and beside it.

    Args:
      driver: of `page_session.start_chromium`.
      address: of the site.
      paths: of the images' files.
      load_runner: number of threads -> `runners.Runner` of the site's model.
      images: uint8 [n, height, width, 3] of the network's size.
    """
    import numpy as np

    from tests.export.web.page_session import Page

    start = time.perf_counter()
    page = Page(driver, address)
    page.wait_until_ready()
    page.choose(paths[-1])
    page.answer_of(paths[-1].name)
    first_box = time.perf_counter() - start
    threads = page.script(
        "return crossOriginIsolated ? navigator.hardwareConcurrency : 1"
    )
    return {
        "first_box_seconds": first_box,
        "threads": threads,
        "page_ms": float(np.median([page_milliseconds(page, path) for path in paths])),
        "native_ms": float(
            np.median(native_milliseconds(load_runner(threads), images))
        ),
        "loaded": loaded_names(
            page.script(
                "return performance.getEntriesByType('resource').map(({name}) => name)"
            ),
            address,
        ),
    }


def measure(artifacts: Path, *, rounds: int) -> dict:
    """Everything that the module says, as JSON has it."""
    from PIL import Image

    from bas_tf import runners
    from export import benchmark
    from export.web import build, site
    from tests.export.web import page_session

    models = site.find_models(artifacts, quantize="int8")
    model = models[site.LOCALIZER]
    images = benchmark.drawings(runners.load_tflite(model).input_size_wh)

    def load(threads: int) -> runners.Runner:
        return runners.load_tflite(model, num_threads=threads)

    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site.write_site(build.built_page(), models, folder / "site")
        paths = [folder / f"{number}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        served = page_session.ServedFolder(folder / "site")
        try:
            for number in range(rounds):
                driver = page_session.start_chromium(folder / f"profile{number}")
                try:
                    found.append(
                        one_round(
                            driver,
                            served.address,
                            paths,
                            load,
                            images,
                        )
                    )
                finally:
                    driver.quit()
        finally:
            served.close()
        weight = page_weight(folder / "site", found[0].pop("loaded"))
    columns = {
        name: [row[name] for row in found]
        for name in ("first_box_seconds", "page_ms", "native_ms")
    }
    return {
        "pixels": list(images.shape[2:0:-1]),
        "threads": found[0]["threads"],
        "weight": weight,
        "model_bytes": model.stat().st_size,
        **columns,
        "ratio": ratios(columns["page_ms"], columns["native_ms"]),
    }


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    import statistics

    from bas_tf import files
    from tests.export.web import page_session

    page_session.check_browser()
    found = measure(Path(flags.FLAGS.artifacts), rounds=flags.FLAGS.rounds)
    files.write_json(flags.FLAGS.output, found)
    weight, ratio = found["weight"], found["ratio"]
    print(
        f"weight without the model: {weight['bytes']:,} bytes, "
        f"{weight['gzipped_bytes']:,} gzipped; the model {found['model_bytes']:,}"
    )
    print(f"first box: {statistics.median(found['first_box_seconds']):.2f} s")
    print(
        f"network: {statistics.median(found['page_ms']):.2f} ms in the page, "
        f"{statistics.median(found['native_ms']):.2f} ms in LiteRT, "
        f"{found['threads']} threads; ratio {ratio['median']:.2f} "
        f"({ratio['lowest']:.2f} to {ratio['highest']:.2f}, {len(found['page_ms'])} "
        "rounds)"
    )


if __name__ == "__main__":
    entry_point.define_path(
        "artifacts", None, "A folder of exported files.", required=True
    )
    entry_point.define_path("output", None, "JSON to write.", required=True)
    flags.DEFINE_integer("rounds", 5, "Fresh browsers.", lower_bound=5)
    entry_point.run(main, loads_tensorflow=False)
