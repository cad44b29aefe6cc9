"""RubyGems' two lists of all gems.

https://guides.rubygems.org/rubygems-org-compact-index-api/. ``/versions`` has a line for every gem
at the time of its last generation (the start, or the control API's ``rebuild``), and one per later
event. A sent line never changes.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from tests.simulator.ecosystem import Document, Shelf
from tests.simulator.history import Event

TEXT = "text/plain; charset=utf-8"

NO_VERSIONS = hashlib.md5(b"---\n", usedforsecurity=False).hexdigest()


def list_document(body: bytes) -> Document:
    """A file of the compact index, with its digests; clients may ask for parts."""
    digest = b64encode(hashlib.sha256(body).digest()).decode()
    headers = {"Cache-Control": "max-age=60, public", "Repr-Digest": f"sha-256=:{digest}:"}
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Document(body, TEXT, headers=headers, etag=f'"{etag}"', ranges=True)


def names(shelf: Shelf) -> Callable[[Mapping[str, str]], Document]:
    """``/names``."""

    def document(headers: Mapping[str, str]) -> Document:
        del headers
        lines = "".join(f"{listed.name}\n" for listed in shelf.listed())
        return list_document(f"---\n{lines}".encode())

    return document


def versions(shelf: Shelf) -> Callable[[Mapping[str, str]], Document]:
    """``/versions``."""

    def document(headers: Mapping[str, str]) -> Document:
        del headers
        history = shelf.history
        begun, known = len(history.rebuilt), history.notes
        if ("versions", begun, history.rebuilds) not in known:
            known["versions", begun, history.rebuilds] = "".join(_all(shelf)).encode()
        new = [e for e in history.feed if e.sequence - history.start > begun]
        last = {event.package: event for event in new}
        for event in new:
            number = event.sequence - history.start
            if ("line", number) not in known:
                is_last = last[event.package] is event
                known["line", number] = _line(shelf, event, is_last=is_last).encode()
        added = b"".join(known["line", event.sequence - history.start] for event in new)
        return list_document(known["versions", begun, history.rebuilds] + added)

    return document


def _all(shelf: Shelf) -> Iterator[str]:
    """The head, and the gems at the time of the last generation."""
    history = shelf.history
    created_at = history.moment_of(history.start + len(history.rebuilt))
    created_at += timedelta(seconds=history.rebuilds) / 1000
    yield f"created_at: {created_at.isoformat()}\n---\n"
    for listed in shelf.listed(history.rebuilt):
        package = shelf.package(listed.package)
        if package is None:
            continue
        page: Any = shelf.page(package)
        if numbers := page.numbers(None):
            yield f"{package.name} {','.join(numbers)} {_md5(page)}\n"


def _line(shelf: Shelf, event: Event, *, is_last: bool) -> str:
    """The line of an event. Only a gem's last line must have the right digest."""
    package, name = shelf.package(event.package), shelf.name_of(event.package)
    if package is None:
        return f"{name} -0.0.0 {NO_VERSIONS}\n"
    page: Any = shelf.page(package)
    match event.kind:
        case "yank" | "delete-version":
            numbers = [f"-{event.version}"]
        case _:
            numbers = page.numbers(event.version) or [f"-{event.version}"]
    md5 = _md5(page) if is_last else f"{event.sequence:032x}"
    return f"{name} {','.join(numbers)} {md5}\n"


def _md5(page: Any) -> str:
    return str(page.info.etag).strip('"')
