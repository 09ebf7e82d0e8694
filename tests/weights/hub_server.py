"""A local server that implements the part of the Hugging Face hub that downloads need."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories with their files.

    `cut` ends the first answer halfway, `gated` refuses all files, `ranges` records the requested ranges.
    """

    files: dict[str, dict[str, bytes]]
    cut: bool = False
    gated: bool = False
    ranges: list[str] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            name = rest.partition("/")[2]
            if repository not in hub.files:
                return self._refuse("RepoNotFound")
            if hub.gated:
                return self._refuse("GatedRepo", 403)
            if name not in hub.files[repository]:
                return self._refuse("EntryNotFound")
            content = hub.files[repository][name]
            start, asked = 0, self.headers.get("Range")
            if body and asked:
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if body:
                until = len(content)
                if hub.cut:
                    hub.cut, until = False, len(content) // 2
                self.wfile.write(content[start:until])
            return None

        def _refuse(self, why: str, status: int = 404) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", why)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
