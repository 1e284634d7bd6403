"""The commands as a user starts them: in a separate process, or in this one."""

import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

from absl import app, flags

from bas_tf import entry_point

REPO = Path(__file__).parent.parent


# A suite that runs in the background ignores SIGINT, and so would its children. Not
# by `preexec_fn`: that forks where Popen else calls vfork, and gRPC's threads in a
# forked child die before it becomes the command (grpc/grpc#43055).
signal.signal(signal.SIGINT, signal.default_int_handler)


def start_command(module: str, *args) -> subprocess.Popen:
    """`python -m module args...` in the repository, its output kept as text."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, args)],
        cwd=REPO,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run_command(module: str, *args) -> subprocess.CompletedProcess:
    """As `start_command`, to its end."""
    process = start_command(module, *args)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def exit_code_in_process(monkeypatch, module: str, *args, cwd: Path = REPO) -> int:
    """Runs a command inside this process, its flags forgotten afterwards.

    TensorFlow is loaded once for many mistakes; what is printed is left to capsys.
    """
    app.define_help_flags()
    assert entry_point.EXIT_USER_ERROR == 2  # its own flags are there for good
    before = set(flags.FLAGS)
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", [module, *map(str, args)])
    try:
        path = REPO / module.replace(".", "/")
        if path.is_dir():
            path /= "__main__"
        runpy.run_path(f"{path}.py", run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()
    return 0


def only_error_line(stderr: str) -> str:
    """The one line that starts with "error:"; nothing else but progress bars."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    rest = [line for line in lines if not re.match(r" *\d+%\|", line)]
    assert len(rest) == 1, stderr
    assert rest[0].startswith("error: "), stderr
    return rest[0]
