"""Serves a site to this machine, with the headers that a web server should send."""

import functools
import os
import sys
from http import HTTPStatus, server
from pathlib import Path

from bas_tf.errors import UserError

HOST = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".tflite": "application/octet-stream",
}
SUFFIXES = {"br": ".br", "gzip": ".gz"}  # of compressed copies, the smallest first
HEADERS = {
    # Isolated from other sites, the page may run the network on several threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}


class _Handler(server.SimpleHTTPRequestHandler):
    extensions_map = TYPES
    _encoding: str | None = None

    def translate_path(self, path) -> str:
        """The file, or a compressed copy that the browser accepts."""
        path = super().translate_path(path)
        accepted = self.headers.get("Accept-Encoding", "").replace(" ", "").split(",")
        for self._encoding, suffix in SUFFIXES.items():
            if self._encoding in accepted and os.path.isfile(path + suffix):
                return path + suffix
        self._encoding = None
        return path

    def guess_type(self, path) -> str:
        return super().guess_type(path.removesuffix(SUFFIXES.get(self._encoding, "")))

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Vary", "Accept-Encoding")
        if self._encoding:
            self.send_header("Content-Encoding", self._encoding)
        super().end_headers()

    def list_directory(self, path) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format, *args) -> None:
        """Says nothing: a page's requests are no news."""


class _Server(server.ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """Passes over a browser that no longer wants its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def make_server(folder: Path, port: int) -> server.ThreadingHTTPServer:
    """A server of a folder on HOST, for `serve_forever` to start; port 0: a free one.

    Raises:
      UserError: the port is taken or not allowed.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise UserError(
            f"--port={port}: cannot be used ({error.strerror}); 0 takes a free one"
        ) from error


def address(serving: server.ThreadingHTTPServer) -> str:
    """As http://127.0.0.1:8765/."""
    return f"http://{HOST}:{serving.server_port}/"
