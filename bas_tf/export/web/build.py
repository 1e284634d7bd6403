"""The page, built by npm from bas_tf/export/web/page when its sources have changed.

An installed package has the built page and not its sources.
"""

import fcntl
import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from bas_tf.errors import UserError

PAGE = Path(__file__).parent / "page"
BUILT, PACKAGES = PAGE / "dist", PAGE / "node_modules"
NODE = "install Node.js 20.19 or later with npm (Debian: apt-get install nodejs npm)"
_STAMP = ".sources"  # in BUILT and PACKAGES: the digest of what they were made of


def built_page() -> Path:
    """The folder of the built page, built first where it is not of these sources.

    Its WebAssembly files are compressed, as FILE.gz. Of several processes one builds
    and the others wait.

    Raises:
      UserError: npm is missing or fails.
    """
    if not _lock_file().is_file():
        return BUILT
    digest = _digest(_sources())
    with _lock_file().open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _made_of(BUILT) != digest:
            _install_packages()
            _build(digest)
    return BUILT


def _build(digest: str) -> None:
    temporary = PAGE / f".dist.{os.getpid()}"
    try:
        _run_npm("run", "build", "--", f"--outDir={temporary}", "--emptyOutDir")
        for path in temporary.rglob("*.wasm"):
            compressed = gzip.compress(path.read_bytes(), mtime=0)
            path.with_name(f"{path.name}.gz").write_bytes(compressed)
            path.unlink()
        (temporary / _STAMP).write_text(digest, encoding="utf-8")
        shutil.rmtree(BUILT, ignore_errors=True)
        temporary.rename(BUILT)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _install_packages() -> None:
    """Installs what package-lock.json names, unless it is there."""
    digest = _digest([_lock_file()])
    if _made_of(PACKAGES) != digest:
        _run_npm("ci", "--no-audit", "--no-fund")
        (PACKAGES / _STAMP).write_text(digest, encoding="utf-8")


def _run_npm(*args: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"npm: not found, and the page is built with it; {NODE}")
    done = subprocess.run([npm, *args], cwd=PAGE, capture_output=True, encoding="utf-8")
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = " | ".join(said[:3]) or f"exit code {done.returncode}"
        raise UserError(f"npm {args[0]} in {PAGE}: failed ({reason[:400]}); {NODE}")


def _lock_file() -> Path:
    return PAGE / "package-lock.json"


def _sources() -> list[Path]:
    top = [path for path in PAGE.iterdir() if path.is_file()]
    inner = [path for name in ("src", "public") for path in (PAGE / name).rglob("*")]
    return sorted([*top, *(path for path in inner if path.is_file())])


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(PAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _made_of(folder: Path) -> str | None:
    stamp = folder / _STAMP
    return stamp.read_text(encoding="utf-8") if stamp.is_file() else None
