"""The index read in a container of its own, for those who want it away from the workers.

A Docker engine (``DOCKER_HOST``, or the local one) builds a small image of this program's own
reader (:mod:`.index.__main__`), runs it without volumes, and forgets the container afterwards. It
writes names as lines of JSON to standard output and talks to people on standard error.
"""

import asyncio
import contextlib
import io
import json
import tarfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
import structlog
from docker.errors import DockerException
from docker.models.containers import Container
from docker.utils.socket import STDERR, STDOUT, SocketError, frames_iter

from ssc_ingest import __version__, errors
from ssc_ingest.ecosystems.maven import index
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.errors import ConfigurationError, RegistryUnavailable

BUILD_TIMEOUT = 600
RUN_TIMEOUT = 10_800
"""Seconds."""
ENGINE_TIMEOUT = 60
"""Seconds that the engine may be silent, where nothing is built."""

IMAGE = f"ssc-ingest-maven-index:{__version__}"

DOCKERFILE = """\
FROM python:3.13-slim
COPY reader /reader
WORKDIR /reader
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65534
ENTRYPOINT ["python", "-m", "ssc_ingest.ecosystems.maven.index"]
"""

MAX_LINE_LENGTH = 64 * 1024
"""Bytes of the reader's output without a line's end."""
BATCH_SIZE = 10_000
"""Names kept before they are sorted in."""
LAST_WORDS = 10
"""Lines of standard error that an error repeats."""

# The errors of requests, by which the SDK speaks to the engine, are OSErrors.
FAILURES = (DockerException, SocketError, OSError)

log = structlog.get_logger(__name__)


def build_context() -> bytes:
    """What the engine builds from: a tar file of the Dockerfile and the reader's modules.

    The packages around the reader import the whole program; in the image they are empty.
    """
    package = Path(index.__path__[0])
    inside = "reader/ssc_ingest/ecosystems/maven"
    files = {
        "Dockerfile": DOCKERFILE.encode(),
        "reader/ssc_ingest/__init__.py": b"",
        "reader/ssc_ingest/ecosystems/__init__.py": b"",
        f"{inside}/__init__.py": b"",
        "reader/ssc_ingest/errors.py": Path(errors.__file__).read_bytes(),
        **{f"{inside}/index/{p.name}": p.read_bytes() for p in sorted(package.glob("*.py"))},
    }
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


async def read_in_container(url: str, user_agent: str, lines: SortedLines) -> int:
    """Read the whole index at ``url`` into ``lines``; the number of packages.

    The container's one request is not counted against the host's rate.

    Raises:
        ConfigurationError: no Docker engine answers.
        RegistryUnavailable: the image cannot be built, or the reader failed; its words are in it.
    """
    engine = await asyncio.to_thread(_connect)
    reading = _Reading(engine, url, lines)
    try:
        async with asyncio.timeout(BUILD_TIMEOUT):
            await asyncio.to_thread(reading.build)
        async with asyncio.timeout(RUN_TIMEOUT):
            container = await asyncio.to_thread(reading.create, user_agent)
            return await asyncio.to_thread(reading.follow, container)
    except TimeoutError as error:
        raise RegistryUnavailable(
            "the index reader's container was not done in time", url=url
        ) from error
    except FAILURES as error:
        raise RegistryUnavailable(f"the Docker engine failed: {error}", url=url) from error
    finally:
        # Also ends the thread that still follows the container's output.
        await asyncio.to_thread(reading.remove)


def _connect() -> docker.DockerClient:
    try:
        return docker.from_env(timeout=ENGINE_TIMEOUT)
    except FAILURES as error:
        raise ConfigurationError(
            "MAVEN_INDEX_READER=container needs a Docker engine, and none answers: "
            f"{error}. Start one, name it in DOCKER_HOST, or set MAVEN_INDEX_READER=inline"
        ) from error


@contextlib.contextmanager
def _output_of(container: Container) -> Iterator[Any]:
    """What a container that is about to start will say."""
    output = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
    try:
        yield output
    finally:
        # The SDK hangs the answer, to which the connection belongs, on the socket.
        (getattr(output, "_response", None) or output).close()


class _Reading:
    """One container, from its image to its end. Its methods block."""

    def __init__(self, engine: docker.DockerClient, url: str, lines: SortedLines) -> None:
        self._engine = engine
        self._url = url
        self._lines = lines
        self._container: Container | None = None
        self._stopped = threading.Event()
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)

    def build(self) -> None:
        """Build the image; the engine knows it already, most times."""
        began = time.monotonic()
        output = self._engine.api.build(
            fileobj=io.BytesIO(build_context()),
            custom_context=True,
            tag=IMAGE,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=BUILD_TIMEOUT,
            use_config_proxy=True,
        )
        problem = ""
        for message in output:
            if self._stopped.is_set() or time.monotonic() > began + BUILD_TIMEOUT:
                raise TimeoutError
            problem = problem or message.get("error", "")
        if problem:
            raise RegistryUnavailable(
                f"the index reader's image cannot be built: {problem}", url=self._url
            )
        log.info("maven_index_image_built", image=IMAGE, seconds=round(time.monotonic() - began))

    def create(self, user_agent: str) -> Container:
        """Make the container; it does not run yet."""
        self._container = self._engine.containers.create(
            IMAGE,
            [self._url, "--user-agent", user_agent],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            # The output is read as it comes; the engine need not keep it.
            log_config={"Type": "none"},
            labels={"org.opencontainers.image.title": "SSC Ingest index reader"},
            use_config_proxy=True,
        )
        if self._stopped.is_set():  # while the engine made it
            self.remove()
            raise TimeoutError
        return self._container

    def follow(self, container: Container) -> int:
        """Let it run and take what it says, to the end; the number of packages."""
        count, total, names = 0, -1, list[bytes]()
        with _output_of(container) as output:
            container.start()
            for line in self._lines_of(frames_iter(output, tty=False)):
                match self._value(line):
                    case {"name": str(name)} if name.isascii() and name.isprintable():
                        names.append(name.encode())
                        count += 1
                    case {"total": int(number)}:
                        total = number
                    case _:
                        raise self._not_ours(line)
                if len(names) >= BATCH_SIZE:
                    self._lines.add(names)
                    names = []
        self._lines.add(names)
        status = container.wait(timeout=ENGINE_TIMEOUT)["StatusCode"]
        if status != 0 or count != total:
            said = "; ".join(self._last_words) or "nothing"
            raise RegistryUnavailable(
                f"the index reader ended with status {status} after {count} names; it said: {said}",
                url=self._url,
            )
        return self._lines.finish()

    def remove(self) -> None:
        """End the container if it runs, and forget it."""
        self._stopped.set()
        if self._container is not None:
            with contextlib.suppress(*FAILURES):
                self._container.remove(force=True, v=True)
        self._engine.close()

    def _lines_of(self, output: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """Lines of standard output; those of standard error go to the log."""
        rests = {STDOUT: b"", STDERR: b""}
        for stream, piece in output:
            *complete, rest = (rests.get(stream, b"") + piece).split(b"\n")
            if len(rest) > MAX_LINE_LENGTH:
                raise self._not_ours(rest)
            rests[stream] = rest
            if stream == STDOUT:
                yield from complete
            else:
                self._tell(complete)

    def _value(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._not_ours(line) from error

    def _not_ours(self, line: bytes) -> RegistryUnavailable:
        shown = line[:100].decode(errors="backslashreplace")
        return RegistryUnavailable(f"the index reader does not say {shown!r}", url=self._url)

    def _tell(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace")
            self._last_words.append(text)
            log.info("maven_index_container", said=text)
