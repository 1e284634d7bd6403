"""What an operator of TensorFlow Serving finds next to the versions of a model.

  models.config, monitoring.config   read by the server
  batching.config                    read once batching is switched on
  compose.yaml, serve.service        two ways to run it

They are a start that works and that an operator edits: what is there is never written
over. The server skips them when it looks for versions. Their texts are in templates/.
"""

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import jinja2

from bas_tf import files
from bas_tf.errors import UserError

MODELS, BATCHING, MONITORING = "models.config", "batching.config", "monitoring.config"
COMPOSE, UNIT = "compose.yaml", "serve.service"

WARM_UP_SIZES = (1, 2, 4, 8)  # images of a request
GRPC_PORT, REST_PORT = 8500, 8501
METRICS_PATH = "/monitoring/prometheus/metrics"
MODELS_POLL_SECONDS, VERSIONS_POLL_SECONDS = 30, 5
GRPC_MAX_THREADS = 256  # 64 callers at a time were all answered with it
_HEALTH_CHECK = (
    "exec 3<>/dev/tcp/127.0.0.1/{port} && "
    r"printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "
    """'/v1/models/{name}' >&3 && grep -q '"AVAILABLE"' <&3"""
)


def write_server_files(serving_dir: Path) -> dict[str, bool]:
    """Writes the files that are missing in a model's folder.

    Args:
      serving_dir: the folder of the versions; its name is the model's.

    Returns:
      {file: whether it is as written here}; False for one that was there and differs,
      which was kept.

    Raises:
      UserError: see `model_name`; a file cannot be read or written.
    """
    return {
        name: _written_or_equal(serving_dir / name, text.encode())
        for name, text in server_files(serving_dir).items()
    }


def server_files(serving_dir: Path) -> dict[str, str]:
    """{file: its text}; see `write_server_files`."""
    name = model_name(serving_dir)
    folder = Path(os.path.abspath(serving_dir))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters |= {"quoted": _quoted, "compose": _compose, "unit": _unit_word}
    values = {
        "name": name,
        "folder": str(folder),
        "arguments": server_arguments(folder),
        "health_check": _HEALTH_CHECK.format(port=REST_PORT, name=quote(name, safe="")),
        "grpc_port": GRPC_PORT,
        "rest_port": REST_PORT,
        "metrics_path": METRICS_PATH,
        "models_poll_s": MODELS_POLL_SECONDS,
        "largest_warm_up": max(WARM_UP_SIZES),
    }
    return {
        file: environment.get_template(file).render(values)
        for file in (MODELS, BATCHING, MONITORING, COMPOSE, UNIT)
    }


def model_name(serving_dir: Path) -> str:
    """The folder's name, by which clients ask for the model.

    Raises:
      UserError: the folder has no name, or its path has characters that do not print
        or are no UTF-8, so that it cannot stand in the server's files.
    """
    folder = os.path.abspath(serving_dir)
    if not folder.isprintable():
        raise UserError(
            f"--serving_dir={folder!r}: has a character that the server's files cannot "
            "hold; rename it"
        )
    name = os.path.basename(folder)
    if not name:
        raise UserError(
            f"--serving_dir={folder}: its name is to be the model's, and it has none"
        )
    return name


def server_arguments(folder: Path) -> list[str]:
    """The server's command line behind the program; `folder` is absolute."""
    return [
        f"--port={GRPC_PORT}",
        f"--rest_api_port={REST_PORT}",
        f"--grpc_max_threads={GRPC_MAX_THREADS}",
        f"--model_config_file={folder / MODELS}",
        f"--model_config_file_poll_wait_seconds={MODELS_POLL_SECONDS}",
        "--allow_version_labels_for_unavailable_models=true",
        f"--file_system_poll_wait_seconds={VERSIONS_POLL_SECONDS}",
        f"--monitoring_config_file={folder / MONITORING}",
        "--enable_model_warmup=true",
    ]


def _written_or_equal(path: Path, content: bytes) -> bool:
    if not os.path.lexists(path):
        files.write_file(path, content)
        return True
    try:
        return path.read_bytes() == content
    except FileNotFoundError:  # a link to nowhere, which is the operator's
        return False
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _quoted(text: str) -> str:
    """A string of JSON, of YAML and, without control characters, of protobuf's text."""
    return json.dumps(text, ensure_ascii=False)


def _compose(text: str) -> str:
    return _quoted(text.replace("$", "$$"))  # Compose reads $$ as $


def _unit_word(text: str) -> str:
    """One word of a unit's setting, whatever characters it has."""
    text = text.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=,./$-]+", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
