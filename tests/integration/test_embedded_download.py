"""Downloads of jars from a Maven repository on loopback, over real HTTP."""

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ssc_ingest.embedded import ChecksumMismatch, DownloadError, NoSpaceLeft, StorageUnusable
from ssc_ingest.embedded.download import AT_ONCE, JarDownload
from ssc_ingest.embedded.jars import Jar, JarCache
from ssc_ingest.embedded.ports import LOOPBACK
from ssc_ingest.embedded.progress import Advance
from tests.ports import unused_port


class Repository:
    """A Maven repository of random jars, with configurable faults."""

    def __init__(self, count: int = 20) -> None:
        source = random.Random(count)
        contents = [source.randbytes(source.randrange(1, 40_000)) for _ in range(count)]
        self.jars = [
            Jar(f"org.example:jar-{number}:1", len(content), hashlib.sha256(content).hexdigest())
            for number, content in enumerate(contents)
        ]
        self.files = {f"/{jar.path}": body for jar, body in zip(self.jars, contents, strict=True)}
        self.requests: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.faults: dict[str, list[str]] = {}
        """What to do wrong with the next requests for a path."""
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""
        self._lock = threading.Lock()

    @contextmanager
    def request(self, path: str) -> Iterator[str]:
        """Count a request; yields the fault to apply to it."""
        with self._lock:
            self.requests[path] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            faults = self.faults.get(path, [])
            fault = faults.pop(0) if faults else ""
        try:
            yield fault
        finally:
            with self._lock:
                self.at_once -= 1


class Handler(BaseHTTPRequestHandler):
    """Responds like Maven Central: whole files, ranges, 404; and the configured faults."""

    protocol_version = "HTTP/1.1"
    server: "RepositoryServer"

    def do_GET(self) -> None:
        """Serve a file."""
        repository = self.server.repository
        with repository.request(self.path) as fault:
            time.sleep(0.005)
            body = repository.files.get(self.path)
            if body is None:
                self.answer(404, b"")
            elif fault.startswith("429"):
                self.answer(429, b"", ("Retry-After", fault.removeprefix("429 ")))
            elif fault.isdigit():
                self.answer(int(fault), b"")
            else:
                self.serve(body, fault)

    def serve(self, body: bytes, fault: str) -> None:
        """Send the file, or the requested range."""
        asked_for = self.headers.get("Range")
        if asked_for and fault != "no ranges":
            self.server.repository.ranges.append(asked_for)
            first = int(asked_for.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                self.answer(416, b"", ("Content-Range", f"bytes */{len(body)}"))
                return
            self.answer(206, body[first:], ("Content-Range", f"bytes {first}-{len(body)}"))
        elif fault == "cut off":
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.answer(200, body)

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Send a complete response."""
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Discard the server's own log."""


class RepositoryServer(ThreadingHTTPServer):
    """The server of one repository."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, repository: Repository) -> None:
        super().__init__((LOOPBACK, 0), Handler)
        self.repository = repository


class Recorder:
    """A progress that adds up the bytes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.total = 0
        self.done = 0
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def download(self, title: str, total: int) -> Iterator[Advance]:
        self.lines.append(title)
        self.total += total
        yield self.advance

    def advance(self, count: int) -> None:
        with self._lock:
            self.done += count


@pytest.fixture
def repository() -> Iterator[Repository]:
    """A repository that responds on loopback."""
    repository = Repository()
    with RepositoryServer(repository) as server:
        repository.url = f"http://{LOOPBACK}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield repository
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> JarCache:
    """An empty cache, in a folder with a space in its name."""
    return JarCache(tmp_path / "the cache")


def partial(cache: JarCache, jar: Jar) -> Path:
    """The path of the partial file of an interrupted download."""
    path = cache.path(jar).with_name(f"{cache.path(jar).name}.part")
    path.parent.mkdir(parents=True)
    return path


def test_download(repository: Repository, cache: JarCache) -> None:
    """Every jar arrives as named in the lock, requested once, at most eight at a time."""
    progress = Recorder()
    JarDownload(cache, f"{repository.url}/").ensure(repository.jars, progress)
    assert cache.missing(repository.jars) == []
    assert repository.requests == dict.fromkeys(repository.files, 1)
    assert 1 < repository.most_at_once <= AT_ONCE == 8
    assert progress.done == progress.total == sum(jar.size for jar in repository.jars)
    assert list(cache.folder.rglob("*.part")) == []


def test_only_missing_jars_are_downloaded(repository: Repository, cache: JarCache) -> None:
    """A second download sends no request; a damaged jar is downloaded again."""
    download = JarDownload(cache, repository.url)
    download.ensure(repository.jars, Recorder())
    repository.requests.clear()
    download.ensure(repository.jars, Recorder())
    assert not repository.requests
    cache.path(repository.jars[3]).write_bytes(b"damaged")
    download.ensure(repository.jars, Recorder())
    assert list(repository.requests) == [f"/{repository.jars[3].path}"]


@pytest.mark.parametrize("server", ["ranges", "no ranges"])
def test_an_interrupted_download_continues(
    repository: Repository, cache: JarCache, server: str
) -> None:
    """The rest of the file is requested; the download restarts if the server has no ranges."""
    jar = max(repository.jars, key=lambda jar: jar.size)
    body = repository.files[f"/{jar.path}"]
    partial(cache, jar).write_bytes(body[:1000])
    repository.faults[f"/{jar.path}"] = [server]
    progress = Recorder()
    JarDownload(cache, repository.url).ensure([jar], progress)
    assert cache.path(jar).read_bytes() == body
    assert repository.ranges == (["bytes=1000-"] if server == "ranges" else [])
    assert progress.done == progress.total == jar.size


def test_a_foreign_partial_file_is_discarded(repository: Repository, cache: JarCache) -> None:
    """A partial file with other contents is discarded, and the jar downloaded completely."""
    jar = max(repository.jars, key=lambda jar: jar.size)
    partial(cache, jar).write_bytes(b"x" * 1000)
    progress = Recorder()
    JarDownload(cache, repository.url).ensure([jar], progress)
    assert cache.missing([jar]) == []
    assert repository.requests[f"/{jar.path}"] == 2
    assert progress.done == jar.size


def test_complete_part(repository: Repository, cache: JarCache) -> None:
    """A complete part (the server responds with 416) becomes the jar."""
    jar = repository.jars[0]
    body = repository.files[f"/{jar.path}"]
    partial(cache, jar).write_bytes(body)
    progress = Recorder()
    JarDownload(cache, repository.url).ensure([jar], progress)
    assert cache.path(jar).read_bytes() == body
    assert not repository.requests, "nothing was missing"
    assert progress.done == progress.total == jar.size
    assert list(cache.folder.rglob("*.part")) == []


@pytest.mark.parametrize("extra", [0, 1], ids=["complete", "longer"])
def test_complete_part_of_another_file(repository: Repository, cache: JarCache, extra: int) -> None:
    """A part with the right or a larger size and wrong contents is downloaded again."""
    jar = repository.jars[0]
    partial(cache, jar).write_bytes(b"x" * (jar.size + extra))
    progress = Recorder()
    JarDownload(cache, repository.url).ensure([jar], progress)
    assert cache.missing([jar]) == []
    assert repository.ranges == []
    assert progress.done == jar.size


def test_server_that_has_no_rest(repository: Repository, cache: JarCache) -> None:
    """If the mirror's file is not longer than the part (416), its checksum decides."""
    jar = repository.jars[0]
    body = repository.files[f"/{jar.path}"]
    repository.files[f"/{jar.path}"] = body[:-1]
    part = partial(cache, jar)
    part.write_bytes(body[:-1])
    with pytest.raises(ChecksumMismatch):
        JarDownload(cache, repository.url).ensure([jar], Recorder())
    assert repository.ranges == [f"bytes={jar.size - 1}-"]
    assert not part.exists()


def test_rest_that_is_refused(repository: Repository, cache: JarCache) -> None:
    """After a 416 that does not match the part, the whole file is downloaded."""
    jar = repository.jars[0]
    partial(cache, jar).write_bytes(repository.files[f"/{jar.path}"][:-1])
    repository.faults[f"/{jar.path}"] = ["416"]
    JarDownload(cache, repository.url).ensure([jar], Recorder())
    assert cache.missing([jar]) == []
    assert repository.requests[f"/{jar.path}"] == 2


def test_a_broken_connection_is_resumed(repository: Repository, cache: JarCache) -> None:
    """A download continues where its connection broke."""
    jar = max(repository.jars, key=lambda jar: jar.size)
    repository.faults[f"/{jar.path}"] = ["cut off"]
    progress = Recorder()
    JarDownload(cache, repository.url).ensure([jar], progress)
    assert cache.missing([jar]) == []
    assert len(repository.ranges) == 1
    assert progress.done == jar.size


@pytest.mark.parametrize(
    "fault",
    ["500", "503", "429 1", pytest.param(f"429 {formatdate(usegmt=True)}", id="429 DATE")],
)
def test_a_busy_server_is_retried(repository: Repository, cache: JarCache, fault: str) -> None:
    """A request to a busy or broken server is repeated once, after the Retry-After."""
    path = f"/{repository.jars[0].path}"
    repository.faults[path] = [fault]
    JarDownload(cache, repository.url).ensure(repository.jars[:1], Recorder())
    assert repository.requests[path] == 2


def test_a_long_retry_after_is_an_error(repository: Repository, cache: JarCache) -> None:
    """A Retry-After of an hour ends the download."""
    repository.faults[f"/{repository.jars[0].path}"] = ["429 3600"]
    with pytest.raises(DownloadError, match="a wait of 3600 s"):
        JarDownload(cache, repository.url).ensure(repository.jars[:1], Recorder())
    assert repository.requests.total() == 1


def test_wrong_checksum(repository: Repository, cache: JarCache) -> None:
    """A jar that differs from the lock is an error with its name, and is deleted."""
    jar = repository.jars[0]
    repository.files[f"/{jar.path}"] = b"x" * jar.size
    with pytest.raises(ChecksumMismatch, match=f"{jar.path}.*{jar.sha256}"):
        JarDownload(cache, repository.url).ensure(repository.jars, Recorder())
    assert jar in cache.missing(repository.jars)
    assert list(cache.path(jar).parent.iterdir()) == []


@pytest.mark.parametrize("size", ["longer", "shorter"])
def test_wrong_size(repository: Repository, cache: JarCache, size: str) -> None:
    """A file whose size differs from the lock is rejected, and not read without end."""
    jar = repository.jars[0]
    repository.files[f"/{jar.path}"] = b"x" * (jar.size + 1 if size == "longer" else 1)
    with pytest.raises(ChecksumMismatch):
        JarDownload(cache, repository.url).ensure([jar], Recorder())
    assert cache.missing([jar]) == [jar]
    assert repository.requests.total() == 1


def test_incomplete_mirror(repository: Repository, cache: JarCache) -> None:
    """A mirror without one of the jars is an error that names the jar and the setting."""
    del repository.files[f"/{repository.jars[7].path}"]
    with pytest.raises(DownloadError, match=r"jar-7.*404.*EMBEDDED_MAVEN_URL"):
        JarDownload(cache, repository.url).ensure(repository.jars, Recorder())


def test_no_network(repository: Repository, cache: JarCache) -> None:
    """If no server responds, the error suggests a fix."""
    url = f"http://{LOOPBACK}:{unused_port()}"
    with pytest.raises(DownloadError, match=r"EMBEDDED_MAVEN_URL.*GRAPH_DB_URI"):
        JarDownload(cache, url).ensure(repository.jars, Recorder())


def test_proxies_never_apply_to_loopback(
    repository: Repository, cache: JarCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests to a mirror on loopback bypass the proxies of the environment."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{unused_port()}")
    JarDownload(cache, repository.url).ensure(repository.jars[:1], Recorder())
    assert cache.missing(repository.jars[:1]) == []


def test_two_at_once(repository: Repository, cache: JarCache) -> None:
    """Of two concurrent processes one downloads; both have all the jars."""
    recorders = [Recorder(), Recorder()]
    threads = [
        threading.Thread(
            target=JarDownload(cache, repository.url).ensure, args=(repository.jars, recorder)
        )
        for recorder in recorders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.missing(repository.jars) == []
    assert repository.requests == dict.fromkeys(repository.files, 1)


def test_cancelled_download_stops(repository: Repository, cache: JarCache) -> None:
    """A cancelled start sends no more requests."""
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(DownloadError):
        JarDownload(cache, repository.url, cancelled=cancelled).ensure(repository.jars, Recorder())
    assert not repository.requests


def test_no_space(repository: Repository, cache: JarCache) -> None:
    """A disk that cannot hold the jars is detected before the first request."""
    huge = Jar("org.example:huge:1", 2**60, "0" * 64)
    with pytest.raises(NoSpaceLeft, match="CACHE_DIR"):
        JarDownload(cache, repository.url).ensure([huge], Recorder())
    assert not repository.requests


def test_cache_that_cannot_be_written(repository: Repository, tmp_path: Path) -> None:
    """A cache folder that cannot be created is an error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnusable, match="CACHE_DIR"):
        JarDownload(JarCache(tmp_path / "file" / "cache"), repository.url).ensure(
            repository.jars, Recorder()
        )
