"""The metadata of one release: its name, links, licence and requirements.

It comes from the core metadata file (PEP 658), the JSON API, or a file of the release.

- https://packaging.python.org/specifications/core-metadata/
- https://packaging.python.org/specifications/source-distribution-format/
- https://docs.pypi.org/api/json/
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ssc_ingest.ecosystems.licenses import MAX_LICENSE, license_facts
from ssc_ingest.ecosystems.pypi.headers import Headers, parse_headers
from ssc_ingest.ecosystems.repository_urls import clean_repository_url, vendor_of
from ssc_ingest.ecosystems.wire import Entry, OrNone, read_json
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import Package

MAX_REQUIREMENTS = 10_000
"""Requirements of one release; the largest meta-packages have about a thousand."""

MAX_REQUIRES_PYTHON = 200
"""Characters; a longer specifier counts as absent."""

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
_METADATA_VERSION = re.compile(r"\s*(\d{1,3})\.(\d{1,3})\b", re.ASCII)
_FIRST_STATIC = (2, 2)
_NOT_IN_LABELS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ReleaseMetadata:
    """``links``: candidates for the repository's address, best first.

    ``requires_dist`` is ``None`` if the requirements are unknown. ``license`` and ``license_spdx``
    are as in :class:`~ssc_ingest.models.Version`.
    """

    name: str
    requires_dist: tuple[str, ...] | None = ()
    links: tuple[str, ...] = ()
    requires_python: str | None = None
    license: str | None = None
    license_spdx: str | None = None

    def describe(self, package: Package) -> Package:
        """The package with the facts of this release."""
        repository = clean_repository_url(self.links)
        return replace(package, vendor=vendor_of(repository), repository_url=repository)


def parse_metadata_file(body: bytes, url: str) -> ReleaseMetadata:
    """Read the headers of a ``METADATA`` file, without its description.

    Raises:
        MalformedMetadata: the file has no name, or too many requirements.
    """
    headers = parse_headers(body)
    return _metadata(headers, headers.all("requires-dist"), url)


def parse_source_metadata(body: bytes, url: str) -> ReleaseMetadata:
    """Read the ``PKG-INFO`` of a source distribution.

    Since version 2.2, its fields are those of the release, unless ``Dynamic`` lists them. Otherwise
    its requirements are unknown.

    Raises:
        MalformedMetadata: the file has no name, or too many requirements.
    """
    headers = parse_headers(body)
    version = _METADATA_VERSION.match(headers.one("metadata-version") or "")
    dynamic = {field.strip().lower() for field in headers.all("dynamic")}
    is_static = version is not None and (int(version[1]), int(version[2])) >= _FIRST_STATIC
    is_final = is_static and "requires-dist" not in dynamic
    return _metadata(headers, headers.all("requires-dist") if is_final else None, url)


def _metadata(headers: Headers, requires_dist: Sequence[str] | None, url: str) -> ReleaseMetadata:
    name = (headers.one("name") or "").strip()
    if not name:
        raise MalformedMetadata("Name: missing", url=url)
    if requires_dist and len(requires_dist) > MAX_REQUIREMENTS:
        raise MalformedMetadata(f"Requires-Dist: more than {MAX_REQUIREMENTS} lines", url=url)
    text, spdx = _license(
        headers.one("license-expression"), headers.one("license"), headers.all("classifier")
    )
    return ReleaseMetadata(
        name,
        None if requires_dist is None else tuple(requires_dist),
        _links(headers.one("home-page"), _project_urls(headers.all("project-url"))),
        _requires_python(headers.one("requires-python")),
        text,
        spdx,
    )


def _project_urls(lines: Iterable[str]) -> dict[str, str]:
    """The links by their labels; none if two have the same label, so that none of them counts."""
    pairs = [line.partition(",") for line in lines]
    urls = {label.strip(): url.strip() for label, _, url in pairs}
    return urls if len(urls) == len(pairs) else {}


class _Info(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str = Field(min_length=1)
    version: OrNone[str] = None
    home_page: OrNone[str] = None
    project_urls: OrNone[dict[str, Any]] = None
    requires_dist: OrNone[Annotated[list[Entry[str]], Field(max_length=MAX_REQUIREMENTS)]] = None
    requires_python: OrNone[str] = None
    license: OrNone[str] = None
    license_expression: OrNone[str] = None
    classifiers: OrNone[list[Entry[str]]] = None


class _JSONDocument(BaseModel):
    model_config = ConfigDict(strict=True)

    info: _Info


def parse_json_document(body: bytes, url: str) -> tuple[str | None, ReleaseMetadata]:
    """Read ``/pypi/<project>/json`` or ``/pypi/<project>/<version>/json``.

    PyPI has ``null`` for requirements that it cannot read.

    Returns:
        The version that the document describes, and its metadata.

    Raises:
        MalformedMetadata: the document is not JSON, or does not name a project.
    """
    info = read_json(_JSONDocument, body, url).info
    lines = None
    if info.requires_dist is not None:
        # A value that is not text is not a requirement; like other unreadable lines, it is logged.
        lines = tuple(x if isinstance(x, str) else x.reason for x in info.requires_dist)
    links = _links(info.home_page, info.project_urls or {})
    classifiers = [text for text in info.classifiers or () if isinstance(text, str)]
    text, spdx = _license(info.license_expression, info.license, classifiers)
    return info.version, ReleaseMetadata(
        info.name, lines, links, _requires_python(info.requires_python), text, spdx
    )


def _requires_python(text: str | None) -> str | None:
    text = (text or "").strip()
    return text if 0 < len(text) <= MAX_REQUIRES_PYTHON else None


def _license(
    expression: str | None, text: str | None, classifiers: Iterable[str]
) -> tuple[str | None, str | None]:
    """The licence from the best of three fields.

    Classifiers do not say whether several licences are alternatives. So they come last, but before
    the full text of a licence.
    """
    if expression:
        return license_facts(expression)
    text = "" if _is_unsaid(text) else " ".join((text or "").split())
    named = [
        classifier.rpartition("::")[2].strip()
        for classifier in classifiers
        if classifier.startswith("License ::")
    ]
    named = [name for name in dict.fromkeys(named) if name != "OSI Approved"]
    if named and not 0 < len(text) <= MAX_LICENSE:
        return license_facts("; ".join(named))
    return license_facts(text)


def _is_unsaid(text: str | None) -> bool:
    return (text or "").strip().upper() in {"", "UNKNOWN"}


def _links(home_page: str | None, project_urls: Mapping[str, Any]) -> tuple[str, ...]:
    def preference(link: tuple[str, Any]) -> int:
        label = _NOT_IN_LABELS.sub("", link[0]).lower()
        known = label in _PREFERRED_LABELS
        return _PREFERRED_LABELS.index(label) if known else len(_PREFERRED_LABELS)

    urls = [url for _, url in sorted(project_urls.items(), key=preference)]
    return tuple(url for url in (home_page, *urls) if url and isinstance(url, str))
