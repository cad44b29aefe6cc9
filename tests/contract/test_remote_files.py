"""Reads parts of files over HTTP, from correct and incorrect servers."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from aiohttp import web

from ssc_ingest.archives.zip_archive import ZipArchive
from ssc_ingest.errors import (
    DigestMismatch,
    MalformedArchive,
    RegistryUnavailable,
    ResourceForbidden,
    ResourceNotFound,
    ResponseTooLarge,
)
from ssc_ingest.http.client import RegistryClient, open_transport
from ssc_ingest.http.remote_file import END, RemoteFile, TransferBudget
from ssc_ingest.settings import Settings
from tests.limiters import open_limiter
from tests.unit.archives import CONTENT, METADATA, zipped


def wheel(seed: int) -> bytes:
    """An archive with some large members and a small one at its end."""
    large = {f"demo/{n}.so": Random(seed + n).randbytes(90_000) for n in range(4)}
    return zipped(large | {METADATA: CONTENT})


WHEEL, OTHER = wheel(0), wheel(100)
MAX_WHOLE = len(WHEEL) + 1000


@dataclass
class FileServer:
    """Serves a file in parts; a test sets its responses."""

    url: str = ""
    file: bytes = WHEEL
    answer: Callable[["FileServer", int, int], web.Response] | None = None
    """Makes the answer for a part, from its first and last byte; ``None``: the right one."""
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request."""
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
        if match is None:
            return self.whole()
        size = len(self.file)
        first = int(match[1]) if match[1] else max(0, size - int(match[2]))
        last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
        return self.answer(self, first, last) if self.answer else self.part(first, last)

    def whole(self) -> web.Response:
        """The whole file."""
        return web.Response(body=self.file, headers={"ETag": '"1"'})

    def part(
        self, first: int, last: int, told: str = "", body: bytes | None = None, etag: str = '"1"'
    ) -> web.Response:
        """A part, with some wrong headers."""
        return web.Response(
            status=206,
            body=self.file[first : last + 1] if body is None else body,
            headers={
                "Content-Range": told or f"bytes {first}-{last}/{len(self.file)}",
                "ETag": etag,
            },
        )


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    """A correct server, until a test changes it."""
    server = FileServer()
    runner = web.ServerRunner(web.Server(server.handle))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/demo.whl"
        yield server
    finally:
        await runner.cleanup()


Open = Callable[..., RemoteFile]


@pytest.fixture
async def opened(
    server: FileServer, settings: Settings, redis_url: str, clean_redis: None
) -> AsyncIterator[Open]:
    """Opens the server's file, with default arguments."""
    async with open_limiter(redis_url) as limiter, open_transport(settings) as http:
        host = server.url.split("/")[2]
        registry = RegistryClient(http, limiter, {host: 1000.0})

        def open_(**arguments: object) -> RemoteFile:
            defaults = {
                "budget": TransferBudget(20, 10 * MAX_WHOLE),
                "max_whole": MAX_WHOLE,
                "size": len(server.file),
                "sha256": hashlib.sha256(WHEEL).hexdigest(),
            }
            return RemoteFile(registry, server.url, **(defaults | arguments))  # type: ignore[arg-type]

        yield open_


async def metadata(file: RemoteFile) -> bytes:
    """The content of the small member."""
    archive = await ZipArchive.open(file)
    member = archive.find(METADATA)
    assert member
    return await archive.read(member, 100_000)


@pytest.mark.parametrize("size", [len(WHEEL), None])
async def test_a_few_bytes_of_a_large_file(
    server: FileServer, opened: Open, size: int | None
) -> None:
    """One request returns the directory and a member at the end of the archive."""
    budget = TransferBudget(20, 10**6)
    assert await metadata(opened(size=size, budget=budget)) == CONTENT
    start = f"{len(WHEEL) - END}-{len(WHEEL) - 1}" if size else f"-{END}"
    assert server.asked == [f"bytes={start}"]
    assert (budget.requests, budget.bytes) == (19, 10**6 - END)


async def test_parts_are_requested_once(server: FileServer, opened: Open) -> None:
    """Only missing parts are requested, and all parts are joined correctly."""
    file = opened()
    for start, length in ((1000, 500), (2000, 500), (1200, 200), (900, 2000), (0, 4000), (7, 0)):
        assert await file.read(start, length) == WHEEL[start : start + length]
    asked = ["1000-1499", "2000-2499", "900-999", "1500-1999", "2500-2899", "0-899", "2900-3999"]
    assert server.asked == [f"bytes={part}" for part in asked]


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, len(WHEEL) + 1), (len(WHEEL), 1)])
async def test_outside_the_file(opened: Open, start: int, length: int) -> None:
    """A read outside the file fails without a request."""
    with pytest.raises(MalformedArchive):
        await opened().read(start, length)


LIES: dict[str, Callable[[FileServer, int, int], web.Response]] = {
    "200 and everything": lambda server, *_: server.whole(),
    "416": lambda *_: web.Response(status=416),
    "400": lambda *_: web.Response(status=400),
    "501": lambda *_: web.Response(status=501),
    "no Content-Range": lambda server, a, b: server.part(a, b, told=" "),
    "another unit": lambda server, a, b: server.part(a, b, told=f"pages {a}-{b}/{len(WHEEL)}"),
    "no size": lambda server, a, b: server.part(a, b, told=f"bytes {a}-{b}/*"),
    "another size": lambda server, a, b: server.part(a, b, told=f"bytes {a}-{b}/{len(WHEEL) + 1}"),
    "a digit too much": lambda server, a, b: server.part(a, b, told=f"bytes {a}-{b}/{10**30}"),
    "another part": lambda server, a, b: server.part(a - 1, b - 1),
    "another part than told": lambda server, a, b: server.part(
        a, b, told=f"bytes {a - 1}-{b - 1}/{len(WHEEL)}"
    ),
    "too little": lambda server, a, b: server.part(a, b, body=WHEEL[a:b]),
    "too much": lambda server, a, b: server.part(a, b, body=WHEEL[a:] + b"x"),
    "nothing": lambda server, a, b: server.part(a, b, body=b""),
    "multipart": lambda *_: web.Response(
        status=206, body=b"--x\r\n", headers={"Content-Type": "multipart/byteranges; boundary=x"}
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("sha256", [hashlib.sha256(WHEEL).hexdigest(), None], ids=["hash", "none"])
async def test_a_server_that_lies(
    server: FileServer,
    opened: Open,
    lie: Callable[[FileServer, int, int], web.Response],
    sha256: str | None,
) -> None:
    """The whole file is read once instead, without the earlier parts."""
    server.answer = lie
    assert await metadata(opened(sha256=sha256)) == CONTENT
    assert server.asked[-1] == ("" if lie is not LIES["200 and everything"] else server.asked[0])
    assert server.asked.count("") <= 1


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_server_that_lies_about_a_large_file(
    server: FileServer, opened: Open, lie: Callable[[FileServer, int, int], web.Response]
) -> None:
    """A file above the limit is not read as a whole."""
    server.answer = lie
    with pytest.raises(ResponseTooLarge):
        await metadata(opened(max_whole=len(WHEEL) - 1))


async def test_a_server_that_begins_to_lie(server: FileServer, opened: Open) -> None:
    """Correct parts stay, and the whole file contains them."""
    file = opened()
    assert await file.read(1000, 500) == WHEEL[1000:1500]
    server.answer = LIES["too little"]
    assert await file.read(0, 3000) == WHEEL[:3000]


async def test_another_validator(server: FileServer, opened: Open) -> None:
    """If each response has another validator, parts may be from different files.

    The whole file is read: it is the same file, or reading fails.
    """
    server.answer = lambda server, a, b: server.part(a, b, etag=f'"{len(server.asked)}"')
    file = opened()
    assert await file.read(1000, 500) == WHEEL[1000:1500]
    assert await file.read(3000, 500) == WHEEL[3000:3500]
    assert server.asked[-1] == ""

    file = opened(sha256=None)
    await file.read(1000, 500)
    server.file = OTHER
    with pytest.raises(MalformedArchive, match="changed"):
        await file.read(3000, 500)


async def test_a_file_of_another_content(server: FileServer, opened: Open) -> None:
    """A completely read file must have the announced digest, whether read in parts or not."""
    server.file = bytes([WHEEL[0] ^ 1]) + WHEEL[1:]
    file = opened()
    await file.read(0, 1000)  # nobody can know
    with pytest.raises(DigestMismatch):
        await file.read(1000, len(WHEEL) - 1000)
    for name in ("200 and everything", "too little"):
        server.answer = LIES[name]
        with pytest.raises(DigestMismatch):
            await opened().read(0, 1000)


async def test_a_wrong_announced_size(server: FileServer, opened: Open) -> None:
    """If it is too small, the real size counts; if it is too large, the file is incomplete."""
    assert await metadata(opened(size=len(WHEEL) - 100)) == CONTENT
    for size, most in ((len(WHEEL) - 100, 1000), (len(WHEEL) + 100, 1000)):
        with pytest.raises(ResponseTooLarge):
            await metadata(opened(size=size, max_whole=most))
    with pytest.raises(MalformedArchive, match="shorter"):
        await metadata(opened(size=len(WHEEL) + 100))


@pytest.mark.parametrize("status", [200, 400, 416, 501])
@pytest.mark.parametrize("size", [len(WHEEL), END // 2])
async def test_a_server_that_refuses_the_end(
    server: FileServer, opened: Open, status: int, size: int
) -> None:
    """The beginning of the file tells its size, so that it need not be read as a whole."""
    server.file = WHEEL[-size:]

    def answer(server: FileServer, first: int, last: int) -> web.Response:
        if server.asked[-1] != f"bytes=-{END}":
            return server.part(first, last)
        return server.whole() if status == 200 else web.Response(status=status)

    server.answer = answer
    most = 1000 if size > END else size
    file = opened(size=None, sha256=None, max_whole=most)
    assert await file.read(size - 50, 50) == WHEEL[-50:]
    assert ("" in server.asked) == (size < END and status != 200)


async def test_responses_without_length(server: FileServer, opened: Open) -> None:
    """Content-Length is not necessary."""

    def chunked(server: FileServer, first: int, last: int) -> web.Response:
        response = server.part(first, last)
        response.enable_chunked_encoding()
        return response

    server.answer = chunked
    assert await metadata(opened()) == CONTENT
    assert server.asked.count("") == 0


async def test_an_empty_file(server: FileServer, opened: Open) -> None:
    """An empty file has no parts."""
    server.file = b""
    file = opened(size=None, sha256=None)
    assert (await file.size(), await file.read(0, 0)) == (0, b"")


async def test_a_budget(server: FileServer, opened: Open) -> None:
    """Requests and bytes are limited, for one file and for all.

    A request above the limit is not sent.
    """
    common = TransferBudget(3, 5000)
    for budget in (TransferBudget(2, 5000, common), TransferBudget(5, 1500, common)):
        file = opened(budget=budget)
        for start in range(0, 4000, 500):
            try:
                await file.read(start, 499)
            except ResponseTooLarge:
                break
        else:
            pytest.fail("no limit")
    assert len(server.asked) == 3
    assert common.bytes == 5000 - 3 * 499
    # A whole file that nobody has asked for is paid as well.
    server.answer = LIES["200 and everything"]
    budget = TransferBudget(9, len(WHEEL))
    await opened(budget=budget).read(0, 9)
    assert (budget.requests, budget.bytes) == (8, 0)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ResourceNotFound), (403, ResourceForbidden), (500, RegistryUnavailable)],
)
async def test_a_file_that_is_not_there(
    server: FileServer, opened: Open, status: int, error: type[Exception]
) -> None:
    """The error is the same as for any document."""
    server.answer = lambda *_: web.Response(status=status)
    with pytest.raises(error):
        await opened().read(0, 9)
