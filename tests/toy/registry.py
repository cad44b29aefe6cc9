"""The registry of toys: a small web server in a separate process.

``python -m tests.toy.registry`` prints its address and stops when standard input ends.
``PUT /packages/NAME`` and ``DELETE /packages/NAME`` change its contents.
"""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

ROOT = Path(__file__).parents[2]

PAGE = 2
"""Names or changes on a page: so few that tests see several."""

OLDEST = 3
"""The feed does not go back behind this serial."""


class Shop(ThreadingHTTPServer):
    """Packages by name, and the changes so far."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.packages: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def serial(self) -> int:
        """The serial of the newest change."""
        return len(self.events)

    def change(self, name: str, package: dict[str, Any] | None) -> None:
        """Add, change or remove a package."""
        with self.lock:
            serial = self.serial + 1
            if package is None:
                del self.packages[name]
            else:
                self.packages[name] = {"name": name, "serial": serial, **package}
            self.events.append({"name": name, "serial": serial, "deleted": package is None})


class Handler(BaseHTTPRequestHandler):
    """Handles one request."""

    server: Shop
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Respond that the document exists."""
        self._answer(b"")

    def do_GET(self) -> None:
        """Send a package, a page of names, or a page of changes."""
        url = urlsplit(self.path)
        kind, _, name = url.path.strip("/").partition("/")
        after = parse_qs(url.query).get("after", [""])[0]
        with self.server.lock:
            found = self._find(kind, name, after)
        if found is None:
            self._answer(b"{}", HTTPStatus.NOT_FOUND)
        else:
            self._answer(json.dumps(found).encode())

    def do_PUT(self) -> None:
        """Add a package or new versions."""
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.change(Path(self.path).name, package)
        self._answer(b"{}")

    def do_DELETE(self) -> None:
        """Remove a package."""
        self.server.change(Path(self.path).name, None)
        self._answer(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Discard the server's log."""

    def _find(self, kind: str, name: str, after: str) -> dict[str, Any] | None:
        shop = self.server
        if kind == "names":
            names = sorted(name for name in shop.packages if name > after)
            return {"names": names[:PAGE], "total": len(shop.packages)}
        if kind == "changes":
            since = shop.serial if after == "newest" else int(after)
            if since < OLDEST:
                return None
            return {"events": shop.events[since : since + PAGE], "serial": shop.serial}
        return shop.packages.get(name) if kind == "packages" else None

    def _answer(self, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        etag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
        if status is HTTPStatus.OK and self.headers.get("If-None-Match") == etag:
            status, body = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)


class ToyRegistry:
    """A running registry of toys; ends with its block, at the latest with this process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.toy.registry"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        self._http = httpx.Client(base_url=self.url, trust_env=False)

    def put(
        self,
        name: str,
        releases: dict[str, dict[str, str]],
        imports: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Add a package with these releases: ``{"1": {"ball": ">= 1"}}`` has requirements.

        ``imports``: the import names of some of them.
        """
        names = imports or {}
        moment = "2026-01-0{}T00:00:00Z"
        document = {
            "maker": "Lathe & Sons",
            "releases": {
                version: {
                    "released": moment.format(version),
                    "requires": requires,
                    "imports": list(names.get(version, ())),
                }
                for version, requires in releases.items()
            },
        }
        self._http.put(f"/packages/{name}", json=document).raise_for_status()

    def delete(self, name: str) -> None:
        """Remove a package."""
        self._http.delete(f"/packages/{name}").raise_for_status()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        with self._process as process:
            process.terminate()


def main() -> None:
    """Serve until standard input ends."""
    with Shop() as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{shop.server_port}", flush=True)  # noqa: T201
        sys.stdin.read()
        shop.shutdown()


if __name__ == "__main__":
    main()
