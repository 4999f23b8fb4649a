"""The pages of a process that is no web server: /health, /ready and /metrics for monitoring.

/health says that the process answers; /ready that its loops do their work, with the reasons (503) when one does not;
/metrics what this process has counted, and what it knows of itself. The web process has its own, see web/health.py.

Units: seconds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from control_plane import telemetry

# Who opens a connection and says nothing is dropped after this long.
_CLIENT_TIMEOUT_S: Final = 5
_CONTENT_JSON: Final = "application/json"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def pages(
    address: str, port: int, *, problems: Callable[[], Iterable[str]], metrics: Callable[[], bytes]
) -> Iterator[int]:
    """Answer while the block runs; gives the port. Port 0 answers nowhere; a port that is taken is said and done without:
    monitoring is no reason for the work to stop."""
    server = _listen(address, port, problems, metrics) if port else None
    if server is None:
        yield 0
        return
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()


def _listen(
    address: str, port: int, problems: Callable[[], Iterable[str]], metrics: Callable[[], bytes]
) -> _Server | None:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = _CLIENT_TIMEOUT_S
        server_version = "Corrente"
        sys_version = ""

        def do_GET(self) -> None:  # the name that http.server calls
            """Answer."""
            if self.path == "/health":
                self._answer(200, _CONTENT_JSON, json.dumps({"status": "ok"}).encode())
            elif self.path == "/ready":
                found = list(problems())
                body = json.dumps({"ready": not found, "problems": found}).encode()
                self._answer(503 if found else 200, _CONTENT_JSON, body)
            elif self.path == "/metrics":
                self._answer(200, telemetry.CONTENT_TYPE, metrics())
            else:
                self._answer(404, _CONTENT_JSON, b'{"error": "there are /health, /ready and /metrics"}')

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape is no event worth a line, but for who looks for one."""
            telemetry.logger().debug("pages.asked", path=self.path)

    try:
        return _Server((address, port), Handler)
    except OSError as error:
        telemetry.logger().warning("pages.port_taken", address=address, port=port, problem=str(error))
        return None
