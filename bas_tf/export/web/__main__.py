r"""Writes a web page that runs exported files in the browser; photos stay there.

  python -m export.tflite --workdir=runs/demo --output=runs/demo/export \
      --quantize=int8 --given_class
  python -m export.web --artifacts=runs/demo/export --output=site/ --serve

--output is a folder of static files for any web server, over https or on localhost.
With a given_class file among the artifacts, visitors can ask where a class is. The page
is built with npm when first needed (Node.js 20.19 or later).
"""

import signal
import threading
from pathlib import Path

from absl import flags

from bas_tf import entry_point, files
from bas_tf.export.litert import conversion


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.export.web import build, server, site

    output = Path(flags.FLAGS.output)
    model_files = site.find_models(
        Path(flags.FLAGS.artifacts), quantize=flags.FLAGS.quantize
    )
    site.check_output(output)
    files.check_not_inputs([output], model_files.values())
    site.write_site(build.built_page(), model_files, output)
    names = ", ".join(path.name for path in model_files.values())
    print(f"{output}: {names}")
    if flags.FLAGS.serve:
        serving = server.make_server(output, flags.FLAGS.port)
        told_to_stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told_to_stop.set())
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        print(f"serving {server.address(serving)} until Ctrl-C", flush=True)
        told_to_stop.wait()
        serving.shutdown()
        serving.server_close()


if __name__ == "__main__":
    entry_point.define_path(
        "artifacts", None, "A folder of exported files.", required=True
    )
    entry_point.define_path("output", None, "The site's folder.", required=True)
    flags.DEFINE_enum(
        "quantize",
        None,
        list(conversion.QUANTIZATIONS),
        "Which file the page runs; default: int8, or else float16, none, dynamic.",
    )
    flags.DEFINE_bool("serve", False, "Also serve the site, to this machine only.")
    flags.DEFINE_integer(
        "port",
        8765,
        "Port of --serve; 0 picks a free one.",
        lower_bound=0,
        upper_bound=65535,
    )
    entry_point.run(main, loads_tensorflow=False)
