"""The operator's files, read by the real classes where the package has them."""

import configparser
import contextlib
import http.server
import os
import re
import shlex
import shutil
import subprocess
import threading

import pytest
import yaml
from google.protobuf import text_format

from bas_tf.errors import UserError
from bas_tf.export.server import server_files

# Of what `tensorflow_model_server --help` lists.
KNOWN_FLAGS = {
    "port", "rest_api_port", "enable_batching", "batching_parameters_file",
    "allow_version_labels_for_unavailable_models", "model_config_file",
    "model_config_file_poll_wait_seconds", "file_system_poll_wait_seconds",
    "grpc_max_threads", "enable_model_warmup", "monitoring_config_file",
}  # fmt: skip
NAMES = [
    "bas",
    "two words",
    'it\'s "so"',
    "modèle Ω 鳥 😀",
    "100% $HOME ${HOME} %h $$",
    "back\\slash\\n",
    "ends\\",
    "a:b",
    "c;d#e",
    "- {x}: [y] & *z !t |",
    "{{ name }} {% if %}",
]


@pytest.fixture(params=NAMES)
def named(request, tmp_path):
    """A folder of each name, and its files."""
    folder = tmp_path / request.param
    return folder, server_files.server_files(folder)


def models_config(text):
    config_pb2 = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2"
    )
    config = text_format.Parse(text, config_pb2.ModelServerConfig())
    return config.model_config_list.config


# The files that the server reads ---------------------------------------------
def test_models_config(named):
    folder, texts = named
    (model,) = models_config(texts["models.config"])
    assert model.name == folder.name and model.base_path == str(folder)
    assert model.model_platform == "tensorflow"
    assert not model.HasField("model_version_policy")  # the latest


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    (tmp_path / "bas").mkdir()
    monkeypatch.chdir(tmp_path / "bas")
    for path in (server_files.Path("."), server_files.Path("../bas/")):
        texts = server_files.server_files(path)
        (model,) = models_config(texts["models.config"])
        assert (model.name, model.base_path) == ("bas", str(tmp_path / "bas"))


def test_the_comment_on_labels_works_where_it_is_to_be_put(tmp_path):
    text = server_files.server_files(tmp_path / "bas")["models.config"]
    commented = re.findall(r"^#    (.+)$", text, re.MULTILINE)
    before, platform, after = text.partition('    model_platform: "tensorflow"\n')
    (model,) = models_config(before + platform + "\n".join(commented) + after)
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}
    flag = re.search(r"--(allow\w+)", text)[1]
    assert f"--{flag}=true" in server_files.server_arguments(tmp_path)


def fields_of(text: str) -> dict[str, str]:
    """{field: value} of a file in protobuf's text format; nothing else is in it."""
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    return dict(
        re.fullmatch(r" *(\w+)(?: \{ value)?: (.+?)(?: \})?", x).groups() for x in lines
    )


def test_batching_config(tmp_path):
    """Without allowed_batch_sizes: see there, copies, and a request of nothing."""
    read = fields_of(server_files.server_files(tmp_path)["batching.config"])
    assert read.pop("pad_variable_length_inputs") == "false"
    numbers = {field: int(value) for field, value in read.items()}
    assert numbers["max_batch_size"] >= max(server_files.WARM_UP_SIZES)
    assert 0 < numbers["batch_timeout_micros"] <= 20_000
    assert numbers["max_enqueued_batches"] >= numbers["num_batch_threads"] >= 1
    assert len(numbers) == 4


def test_monitoring_config(tmp_path):
    text = server_files.server_files(tmp_path)["monitoring.config"]
    inner = re.search(r"^prometheus_config \{\n(.*)^\}\n$", text, re.M | re.S)[1]
    assert fields_of(inner) == {
        "enable": "true", "path": '"/monitoring/prometheus/metrics"',
    }  # fmt: skip


def test_the_command_line_names_threads_and_leaves_batching_off(tmp_path):
    arguments = server_files.server_arguments(tmp_path)
    flags = dict(re.fullmatch(r"--(\w+)=(.+)", a).groups() for a in arguments)
    assert set(flags) <= KNOWN_FLAGS and len(flags) == len(arguments)
    assert (flags["port"], flags["rest_api_port"]) == ("8500", "8501")
    assert int(flags["grpc_max_threads"]) >= 64  # callers at a time that were tried
    assert not {name for name in flags if "batching" in name}
    named = {v for name, v in flags.items() if name.endswith("_file")}
    assert named == {str(tmp_path / f) for f in ("models.config", "monitoring.config")}


def test_the_documented_command_lines_name_the_threads_too():
    root = server_files.Path(server_files.__file__).parents[3]
    text = (root / "docs/deploy.md").read_text(encoding="utf-8")
    assert f"--grpc_max_threads={server_files.GRPC_MAX_THREADS}" in text


# compose.yaml ------------------------------------------------------------------
def service_of(texts):
    (service,) = yaml.safe_load(texts["compose.yaml"])["services"].values()
    return service


def interpolated(text):
    """As Compose reads a string: $$ is $, and a single $ would be a variable."""
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


def test_compose_runs_the_same_command_for_this_machine_alone(named):
    folder, texts = named
    service = service_of(texts)
    assert service["entrypoint"] == ["tensorflow_model_server"]
    command = [interpolated(word) for word in service["command"]]
    assert command == server_files.server_arguments(folder)
    (volume,) = service["volumes"]
    assert interpolated(volume["source"]) == interpolated(volume["target"])
    assert interpolated(volume["target"]) == str(folder)
    assert volume["type"] == "bind" and volume["read_only"] is True
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", service["image"])
    assert service["restart"] == "unless-stopped"


class Status(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.content.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def status_server(content):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status) as server:
        server.asked, server.content = [], content
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def is_healthy(texts, port):
    kind, *command = map(interpolated, service_of(texts)["healthcheck"]["test"])
    assert kind == "CMD"
    command = [word.replace("/8501 ", f"/{port} ") for word in command]
    done = subprocess.run(command, capture_output=True, timeout=20)
    return done.returncode == 0


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is missing")
@pytest.mark.parametrize("content, healthy", [
    ('{\n "state": "AVAILABLE",\n', True),
    ('{"state": "END"}, {"state": "AVAILABLE"}', True),
    ('{"state": "LOADING", "error_message": "UNAVAILABLE"}', False),
    ('{"error": "Could not find any versions of model bas"}', False),
])  # fmt: skip
def test_the_health_check_asks_for_an_available_version(tmp_path, content, healthy):
    texts = server_files.server_files(tmp_path / "it's %41")
    with status_server(content) as server:
        assert is_healthy(texts, server.server_port) is healthy
        assert server.asked == ["/v1/models/it%27s%20%2541"]
    assert not is_healthy(texts, server.server_port)  # nobody listens


# serve.service -----------------------------------------------------------------
def unit_of(texts):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(texts["serve.service"].replace("\\\n", " "))
    return unit


def words_of(value, *, variables):
    """As systemd reads a setting: quoted words, %% is %, and in commands $$ is $."""
    assert not re.search(r"(?<!%)(%%)*%(?!%)", value)
    value = value.replace("%%", "%")
    return [interpolated(w) if variables else w for w in shlex.split(value)]


def test_the_unit_runs_the_same_command_and_keeps_the_server_in(named):
    folder, texts = named
    unit = unit_of(texts)
    service = unit["Service"]
    assert words_of(service["ExecStart"], variables=True) == [
        "tensorflow_model_server", *server_files.server_arguments(folder)
    ]  # fmt: skip
    assert words_of(service["BindReadOnlyPaths"], variables=False) == [str(folder)]
    # A colon would part the path from another unless it is quoted.
    assert ":" not in folder.name or service["BindReadOnlyPaths"][0] == '"'
    assert folder.name.replace("%", "%%") in unit["Unit"]["Description"]
    assert service["DynamicUser"] == "yes" and service["ProtectSystem"] == "strict"
    assert service["IPAddressDeny"] == "any"
    assert service["IPAddressAllow"] == "localhost"
    assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing"
)
def test_systemd_takes_the_unit(named, tmp_path):
    """The server is not on this machine, so another program stands for it."""
    path = tmp_path / "checked.service"
    text = named[1]["serve.service"]
    path.write_text(text.replace("=tensorflow_model_server", "=/bin/true"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "checked" not in done.stderr, done.stderr


# Writing -------------------------------------------------------------------------
def test_all_are_written_and_what_an_operator_wrote_is_kept(tmp_path):
    folder = tmp_path / "bas"
    written = server_files.write_server_files(folder)
    texts = server_files.server_files(folder)
    assert written == dict.fromkeys(texts, True)
    assert {p.name: p.read_text("utf-8") for p in folder.iterdir()} == texts
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert server_files.write_server_files(folder) == written
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    (folder / "batching.config").write_text("max_batch_size { value: 4 }\n")
    (folder / "compose.yaml").unlink()
    (folder / "compose.yaml").symlink_to(tmp_path / "not there yet")
    (folder / "serve.service").unlink()
    assert server_files.write_server_files(folder) == written | {
        "batching.config": False, "compose.yaml": False
    }  # fmt: skip
    edited = (folder / "batching.config").read_text()
    assert edited == "max_batch_size { value: 4 }\n"
    assert (folder / "compose.yaml").is_symlink()


def test_places_where_nothing_can_be_written(tmp_path):
    (tmp_path / "serve.service").mkdir()
    with pytest.raises(UserError, match=r"serve\.service: cannot be read \(.+\)$"):
        server_files.write_server_files(tmp_path)
    (tmp_path / "bas").write_text("")
    with pytest.raises(UserError, match=r"bas/.*: cannot be written \(.+\)$"):
        server_files.write_server_files(tmp_path / "bas")


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "\x7f", "bad\udcff", "\u2028"])
def test_names_that_files_cannot_hold(tmp_path, name):
    with pytest.raises(UserError, match="^--serving_dir=") as raised:
        server_files.write_server_files(tmp_path / name)
    assert str(raised.value).isprintable() and os.listdir(tmp_path) == []
    with pytest.raises(UserError, match="^--serving_dir=/: "):
        server_files.model_name(server_files.Path("/"))
