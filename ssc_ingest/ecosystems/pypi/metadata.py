"""The metadata of one release: its name, links and requirements.

The source is the core metadata file (PEP 658), or without one the JSON API.

- https://packaging.python.org/specifications/core-metadata/
- https://docs.pypi.org/api/json/
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from packaging.metadata import parse_email
from pydantic import BaseModel, ConfigDict, Field

from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.wire import Entry, OrNone, read_json
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import Package

MAX_REQUIREMENTS = 10_000
"""Requirements of one release; the largest meta-packages have about a thousand."""

# Labels of links that lead to the code, best first (aliases: PEP 753).
_PREFERRED_LABELS = (
    "source",
    "sourcecode",
    "repository",
    "code",
    "github",
    "homepage",
    "issues",
    "bugtracker",
)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NOT_IN_LABELS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ReleaseMetadata:
    """``links``: candidates for the repository's address, best first.

    ``requires_dist`` is ``None`` if the requirements are unknown.
    """

    name: str
    requires_dist: tuple[str, ...] | None = ()
    links: tuple[str, ...] = ()

    def describe(self, package: Package) -> Package:
        """The package with the facts of this release."""
        repository = clean_repository_url(self.links)
        return replace(package, vendor=vendor_of(repository), repository_url=repository)


def parse_metadata_file(body: bytes, url: str) -> ReleaseMetadata:
    """Read the headers of a ``METADATA`` file, without its description.

    Raises:
        MalformedMetadata: it has no name, or too many requirements.
    """
    # Decoded here: one byte that is not UTF-8 would make the parser drop all values of its field.
    content = body.lstrip().removeprefix(codecs.BOM_UTF8).lstrip()
    headers = _END_OF_HEADERS.split(content, maxsplit=1)[0].decode(errors="replace")
    raw, _ = parse_email(headers + "\n\n")
    name = raw.get("name", "").strip()
    if not name:
        raise MalformedMetadata("Name: missing", url=url)
    requires_dist = tuple(raw.get("requires_dist", ()))
    if len(requires_dist) > MAX_REQUIREMENTS:
        raise MalformedMetadata(f"Requires-Dist: more than {MAX_REQUIREMENTS} lines", url=url)
    return ReleaseMetadata(
        name, requires_dist, _links(raw.get("home_page"), raw.get("project_urls", {}))
    )


class _Info(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str = Field(min_length=1)
    version: OrNone[str] = None
    home_page: OrNone[str] = None
    project_urls: OrNone[dict[str, Any]] = None
    requires_dist: OrNone[Annotated[list[Entry[str]], Field(max_length=MAX_REQUIREMENTS)]] = None


class _JSONDocument(BaseModel):
    model_config = ConfigDict(strict=True)

    info: _Info


def parse_json_document(body: bytes, url: str) -> tuple[str | None, ReleaseMetadata]:
    """Read ``/pypi/<project>/json`` or ``/pypi/<project>/<version>/json``.

    PyPI has ``null`` for requirements that it could not read.

    Returns:
        The version that the document describes, and its metadata.

    Raises:
        MalformedMetadata: it is not JSON, or does not name a project.
    """
    info = read_json(_JSONDocument, body, url).info
    lines = None
    if info.requires_dist is not None:
        # A value that is not text is no requirement; like other unreadable lines, it is logged.
        lines = tuple(x if isinstance(x, str) else x.reason for x in info.requires_dist)
    links = _links(info.home_page, info.project_urls or {})
    return info.version, ReleaseMetadata(info.name, lines, links)


def _links(home_page: str | None, project_urls: Mapping[str, Any]) -> tuple[str, ...]:
    def preference(link: tuple[str, Any]) -> int:
        label = _NOT_IN_LABELS.sub("", link[0]).lower()
        known = label in _PREFERRED_LABELS
        return _PREFERRED_LABELS.index(label) if known else len(_PREFERRED_LABELS)

    urls = [url for _, url in sorted(project_urls.items(), key=preference)]
    return tuple(url for url in (home_page, *urls) if url and isinstance(url, str))
