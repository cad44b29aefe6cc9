"""The overview page as a process of its own, asked over HTTP."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.acceptance import forks

LONG_ENOUGH = 300.0
"""Seconds, on a machine that does other things at the same time."""

NOWHERE = "127.0.0.1:1"
"""Nothing listens there."""

HIDDEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


class Web:
    """A running ``ssc-ingest web``."""

    def __init__(self, folder: Path, settings: dict[str, str], *arguments: str) -> None:
        self._log = folder / "web.log"
        environment = {**os.environ, "DATA_DIR": str(folder / "data"), **settings}
        self._log.unlink(missing_ok=True)  # of one before
        self.process = forks.start(
            "ssc-ingest",
            ["web", "--port", "0", *arguments],
            environment=environment,
            folder=folder,
            output=self._log,
        )

    @property
    def log(self) -> str:
        """Everything that it has written."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        """The address that it says, once it answers."""
        deadline = time.monotonic() + LONG_ENOUGH
        while not (found := re.search(r"the overview page is at (\S+);", self.log)):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return found[1]

    def client(self, credentials: tuple[str, str] | None = None) -> httpx.Client:
        """A visitor, who keeps cookies."""
        return httpx.Client(
            base_url=self.url, auth=credentials, trust_env=False, timeout=LONG_ENOUGH
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop it; returns its exit code."""
        _ = self.url  # only a server that works is interrupted in order
        self.process.send_signal(number)
        return self.process.wait(LONG_ENOUGH)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


Start = Callable[..., Web]


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start the page; by default only Redis responds. Settings are keyword arguments."""
    with ExitStack() as stack:

        def run(*arguments: str, **settings: Any) -> Web:
            given = {
                "REDIS_URL": redis_url,
                "GRAPH_DB_URI": f"bolt://{NOWHERE}",
                "VULN_DB_URI": f"mongodb://{NOWHERE}/?serverSelectionTimeoutMS=500",
                **settings,
            }
            return stack.enter_context(Web(tmp_path, given, *arguments))

        yield run


def known(visitor: httpx.Client, path: str = "/") -> str:
    """A page on which every part has been read, or could not be read."""
    return until(visitor, path, lambda page: "t has not been read yet" not in page)


def until(visitor: httpx.Client, path: str, is_wanted: Callable[[str], bool]) -> str:
    """A page as soon as it is as wanted: it does not wait for a read that takes long."""
    deadline = time.monotonic() + LONG_ENOUGH
    while True:
        answer = visitor.get(path)
        assert answer.status_code == 200, answer.text
        if is_wanted(answer.text):
            return answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)


def token(page: str) -> str:
    """The hidden field of a page's forms."""
    found = HIDDEN.search(page)
    assert found, page
    return found[1]
