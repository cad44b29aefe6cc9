"""Reads the index in a container, so that workers do not spend their resources.

A Docker engine (``DOCKER_HOST``, or the local one) builds a small image of this program's own
reader (:mod:`.index.__main__`), runs it without volumes, and removes the container afterwards. The
reader writes names as lines of JSON to standard output and messages to standard error.
"""

import asyncio
import contextlib
import io
import json
import tarfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from docker.models.containers import Container
from docker.utils.socket import SocketError

from ssc_ingest import __version__, errors
from ssc_ingest.ecosystems.maven import index
from ssc_ingest.ecosystems.maven.index.sorted_lines import SortedLines
from ssc_ingest.errors import ConfigurationError, RegistryUnavailable
from ssc_ingest.logs import get_logger

RUN_TIMEOUT = 10_800
"""Seconds for building the image and reading the index."""

BUILD_TIMEOUT = 600
"""Maximum seconds without output of the engine during the build."""

ENGINE_TIMEOUT = 60
"""Maximum seconds without output at other times."""

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
"""Bytes of a line of the reader's output."""

BATCH_SIZE = 10_000
"""Number of names per batch for sorting."""

MESSAGES_KEPT = 10
"""Maximum lines of standard error in an error text."""

# The SDK uses requests, whose errors are OSErrors.
FAILURES = (DockerException, SocketError, OSError)

log = get_logger(__name__)


def build_context() -> bytes:
    """The input of the build: a tar file of the Dockerfile and the reader's modules.

    The packages around the reader would import the whole program; in the image they are empty.
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
    """Read the whole index at ``url`` into ``lines``; returns the number of packages.

    The container's one request does not count against the host's rate.

    Raises:
        ConfigurationError: no Docker engine responds.
        RegistryUnavailable: the image cannot be built, or the reader failed; the error repeats
            the messages of either.
    """
    reading = _Reading(await asyncio.to_thread(_connect), url, lines)
    try:
        async with asyncio.timeout(RUN_TIMEOUT):
            return await asyncio.to_thread(reading.run, user_agent)
    except TimeoutError as error:
        raise RegistryUnavailable(
            "the index reader's container did not finish in time", url=url
        ) from error
    except FAILURES as error:
        raise RegistryUnavailable(f"the Docker engine failed: {error}", url=url) from error
    finally:
        # Also ends the thread that may still follow the container's output.
        await asyncio.to_thread(reading.stop)


def _connect() -> docker.DockerClient:
    try:
        return docker.from_env(timeout=ENGINE_TIMEOUT)
    except FAILURES as error:
        raise ConfigurationError(
            "MAVEN_INDEX_READER=container needs a Docker engine, and none responds: "
            f"{error}. Start one, name it in DOCKER_HOST, or set MAVEN_INDEX_READER=inline"
        ) from error


class _Reading:
    """One container, from its image to its removal. The methods block."""

    def __init__(self, engine: docker.DockerClient, url: str, lines: SortedLines) -> None:
        self._engine = engine
        self._url = url
        self._lines = lines
        self._container: Container | None = None
        self._stopped = threading.Event()
        self._messages: deque[str] = deque(maxlen=MESSAGES_KEPT)

    def run(self, user_agent: str) -> int:
        """Build the image, run the container and read its output; the number of packages."""
        self._build()
        self._container = container = self._create(user_agent)
        if self._stopped.is_set():  # while the engine created it
            self.stop()
            raise TimeoutError
        # Attached before the start, so that no output is lost.
        output = container.attach(stream=True, demux=True)
        try:
            container.start()
            count, total = self._read(output)
        finally:
            # The SDK's close() leaves the connection open if the engine has ended it.
            output._response.close()  # noqa: SLF001
        status = container.wait(timeout=ENGINE_TIMEOUT)["StatusCode"]
        if status != 0 or count != total:
            said = "; ".join(self._messages) or "nothing"
            raise RegistryUnavailable(
                f"the index reader exited with code {status} after {count} names; it said: {said}",
                url=self._url,
            )
        return self._lines.finish()

    def stop(self) -> None:
        """Remove the container, running or not."""
        self._stopped.set()
        if self._container is not None:
            with contextlib.suppress(*FAILURES):
                self._container.remove(force=True, v=True)
        self._engine.close()

    def _build(self) -> None:
        """Build the image; usually, the engine has it already."""
        steps = self._engine.api.build(
            fileobj=io.BytesIO(build_context()),
            custom_context=True,
            tag=IMAGE,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=BUILD_TIMEOUT,
            use_config_proxy=True,
        )
        for step in steps:
            if self._stopped.is_set():
                raise TimeoutError
            if problem := step.get("error"):
                raise RegistryUnavailable(
                    f"the index reader's image cannot be built: {problem}", url=self._url
                )
        log.info("maven_index_image_built", image=IMAGE)

    def _create(self, user_agent: str) -> Container:
        return self._engine.containers.create(
            IMAGE,
            [self._url, "--user-agent", user_agent],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            # The output is read at once, so the engine need not store it.
            log_config={"Type": "none"},
            labels={"org.opencontainers.image.title": "SSC Ingest index reader"},
            use_config_proxy=True,
        )

    def _read(self, output: Iterable[tuple[bytes | None, bytes | None]]) -> tuple[int, int]:
        """Collect the names; returns their number and the number that the reader announced."""
        count, total, names = 0, -1, list[bytes]()
        for line in self._lines_of(output):
            match self._parse(line):
                case {"name": str(name)} if name.isascii() and name.isprintable():
                    names.append(name.encode())
                    count += 1
                case {"total": int(number)}:
                    total = number
                case _:
                    raise self._unexpected(line)
            if len(names) >= BATCH_SIZE:
                self._lines.add(names)
                names = []
        self._lines.add(names)
        return count, total

    def _lines_of(self, output: Iterable[tuple[bytes | None, bytes | None]]) -> Iterator[bytes]:
        """Lines of standard output; those of standard error go to the log."""
        rest = message = b""
        for stdout, stderr in output:
            *lines, rest = (rest + (stdout or b"")).split(b"\n")
            *messages, message = (message + (stderr or b"")).split(b"\n")
            if len(rest) > MAX_LINE_LENGTH or len(message) > MAX_LINE_LENGTH:
                raise self._unexpected(rest or message)
            for each in messages:
                self._messages.append(each.decode(errors="replace"))
                log.info("maven_index_container", said=self._messages[-1])
            yield from lines

    def _parse(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._unexpected(line) from error

    def _unexpected(self, line: bytes) -> RegistryUnavailable:
        shown = line[:100].decode(errors="backslashreplace")
        return RegistryUnavailable(
            f"unexpected output of the index reader: {shown!r}", url=self._url
        )
