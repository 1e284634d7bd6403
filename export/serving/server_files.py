"""What an operator of TensorFlow Serving finds beside the versions of a model.

  models.config, batching.config, monitoring.config   read by the server
  compose.yaml, serve.service                         two ways to run it

They are a start that works and that an operator edits: what is there is never written
over. The server passes them over when it looks for versions.
"""

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

from bas_tf import files
from bas_tf.errors import UserError
from export.serving import warm_up

MODELS, BATCHING, MONITORING = "models.config", "batching.config", "monitoring.config"
COMPOSE, UNIT = "compose.yaml", "serve.service"

WARM_UP_SIZES, MAX_BATCH_SIZE = (1, 2, 4, 8), 32  # images of a batch
SERVER = "tensorflow_model_server"
IMAGE = "tensorflow/serving:2.20.0"
GRPC_PORT, REST_PORT = 8500, 8501
METRICS_PATH = "/monitoring/prometheus/metrics"
MODELS_POLL_SECONDS, VERSIONS_POLL_SECONDS = 30, 5


def write_server_files(serving_dir: Path) -> dict[str, bool]:
    """Writes the files that are missing in a model's folder.

    Args:
      serving_dir: the folder of the versions; its name is the model's.

    Returns:
      {file: whether it is as written here}; False for one that was there and differs,
      which was kept.

    Raises:
      UserError: see `model_name`; a file cannot be read or written;
        tensorflow-serving-api is not installed.
    """
    texts = server_files(serving_dir)
    return {
        name: _written_or_equal(serving_dir / name, text.encode())
        for name, text in texts.items()
    }


def server_files(serving_dir: Path) -> dict[str, str]:
    """{file: its text}; see `write_server_files`."""
    name = model_name(serving_dir)
    folder = Path(os.path.abspath(serving_dir))
    return {
        MODELS: _models_config(name, folder),
        BATCHING: _BATCHING_TEXT,
        MONITORING: _MONITORING_TEXT,
        COMPOSE: _compose(name, folder),
        UNIT: _unit(name, folder),
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
        f"--model_config_file={folder / MODELS}",
        f"--model_config_file_poll_wait_seconds={MODELS_POLL_SECONDS}",
        "--allow_version_labels_for_unavailable_models=true",
        f"--file_system_poll_wait_seconds={VERSIONS_POLL_SECONDS}",
        "--enable_batching=true",
        f"--batching_parameters_file={folder / BATCHING}",
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


def _models_config(name: str, folder: Path) -> str:
    """A ModelServerConfig in protobuf's text format."""
    try:
        from google.protobuf import text_format
        from tensorflow_serving.config import model_server_config_pb2
    except ImportError as error:
        raise warm_up.package_is_missing(MODELS) from error

    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=name, base_path=str(folder), model_platform="tensorflow"
    )
    return _MODELS_COMMENT + text_format.MessageToString(config, as_utf8=True)


_MODELS_COMMENT = f"""\
# Which models the server has; it reads this file again every {MODELS_POLL_SECONDS} s.
#
# As it stands, the largest version is served: a new one takes over once it is loaded
# and warmed up. To hold two versions and give them names, put this behind
# model_platform, with the numbers of your folders:
#
#    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
#    version_labels {{ key: "stable" value: 1 }}
#    version_labels {{ key: "canary" value: 2 }}
#
# Clients then ask for --version_label=stable. A label that is new may name a version
# that is still loading because the server was started with
# --allow_version_labels_for_unavailable_models; without it, a start with labels fails.
# A label that is in use moves only to a loaded version: add the version first, move the
# label when its status is AVAILABLE, and take the old version out last.

"""

# Written by hand: tensorflow-serving-api lacks BatchingParameters and MonitoringConfig.
_BATCHING_TEXT = f"""\
# How the server makes one batch of several requests; read when it starts.
# The numbers are a start: measure with your machine and your photos.

# No allowed_batch_sizes, up to which the server would fill batches with copies: on a
# processor, copies cost what images cost. They are for devices that compile each shape.
# And by its source, a request of no images that is the last of a batch to be filled
# ends the server. Without them such a call waits until another joins it: let calls have
# deadlines. The client of this project sends none.

# A request of more images is refused (INVALID_ARGUMENT). The warm-up of each version
# has requests of {WARM_UP_SIZES[-1]}: with a smaller maximum, no version is loaded.
max_batch_size {{ value: {MAX_BATCH_SIZE} }}

# How long a request waits for others to join it: little beside the model's own time.
batch_timeout_micros {{ value: 5000 }}

# What waits beyond this many batches (of each signature) is refused with UNAVAILABLE,
# which export.serving.client tries again. More of them is more delay, not more speed.
max_enqueued_batches {{ value: 16 }}

# Batches at a time. TensorFlow spreads one over all cores; a second one keeps them busy
# while the first decodes its photos. On many cores, try more.
num_batch_threads {{ value: 2 }}

# Requests whose shapes differ in more than the number of images cannot be one batch:
# images of other sizes to serving_tensor, and what is of another rank or channel count.
# When such requests meet, the server fails all of that batch, those of other clients
# too (FAILED_PRECONDITION, "have different shapes and padding is turned off"). So let
# all clients send serving_tensor one size, or encoded images to serving_default, and
# check requests before they come here where you do not trust who sends them.
# Padding would not help: boxes would be in pixels of the padded image.
pad_variable_length_inputs: false
"""

_MONITORING_TEXT = f"""\
# Metrics for Prometheus, at the REST port; read when the server starts.
prometheus_config {{
  enable: true
  path: "{METRICS_PATH}"
}}
"""


def _compose(name: str, folder: Path) -> str:
    quoted_folder = _compose_string(str(folder))
    arguments = "".join(
        f"      - {_compose_string(a)}\n" for a in server_arguments(folder)
    )
    # The image has no curl; its bash opens the connection.
    check = (
        f"exec 3<>/dev/tcp/127.0.0.1/{REST_PORT} && "
        r"printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "
        f"'/v1/models/{quote(name, safe='')}' >&3 && "
        """grep -q '"AVAILABLE"' <&3"""
    )
    return f"""\
# docker compose up --detach --wait
services:
  tensorflow-serving:
    image: {IMAGE}
    init: true  # passes SIGTERM on, at which the server ends at once
    restart: unless-stopped
    # In place of the image's own, which adds a model that is not here.
    entrypoint: [{SERVER}]
    command:
{arguments}\
    # Who reaches the ports can ask the model and change what is served: there is
    # no password. So only this machine does; put a proxy in front for others.
    ports:
      - "127.0.0.1:{GRPC_PORT}:{GRPC_PORT}"  # gRPC
      - "127.0.0.1:{REST_PORT}:{REST_PORT}"  # REST and metrics
    # At the path that it has outside, which is the one in {MODELS}.
    volumes:
      - type: bind
        source: {quoted_folder}
        target: {quoted_folder}
        read_only: true
    healthcheck:
      test: [CMD, bash, -c, {_compose_string(check)}]
      interval: 10s
      timeout: 5s
      start_period: 120s  # a version loads and warms up
"""


def _compose_string(text: str) -> str:
    """A YAML scalar; JSON's strings are some, and Compose reads $$ as $."""
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


def _unit(name: str, folder: Path) -> str:
    words = [SERVER, *server_arguments(folder)]
    command = " \\\n  ".join(_unit_word(word).replace("$", "$$") for word in words)
    return f"""\
# sudo cp {UNIT} /etc/systemd/system/{UNIT}
# sudo systemctl daemon-reload && sudo systemctl enable --now {UNIT}
[Unit]
Description=Model {name.replace("%", "%%")} by TensorFlow Serving
After=network.target

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=5

# The server needs no user, no right and no file but the model's, which all users must
# be able to read. Of /home, /root and /tmp it sees the model's folder alone.
DynamicUser=yes
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
BindReadOnlyPaths={_unit_word(str(folder))}
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes

# Who reaches the ports can ask the model and change what is served: there is no
# password, and the server listens on all addresses. So only this machine does; put a
# proxy in front for others. Without eBPF for control groups, these two do nothing.
IPAddressDeny=any
IPAddressAllow=localhost

[Install]
WantedBy=multi-user.target
"""


def _unit_word(text: str) -> str:
    """One word of a unit's setting, whatever characters it has."""
    text = text.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=,./$-]+", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
