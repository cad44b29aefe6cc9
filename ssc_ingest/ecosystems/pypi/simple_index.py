"""A project's page in the Simple repository API, with all its versions and files.

https://packaging.python.org/specifications/simple-repository-api/ (PEP 503, 691, 700, 714, 792)
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from ssc_ingest.ecosystems.pypi.distributions import VersionIndex, wheel_rank
from ssc_ingest.ecosystems.pypi.metadata import MAX_REQUIRES_PYTHON
from ssc_ingest.ecosystems.wire import Entry, Moment, OrNone, Unreadable, read_json, unreadable
from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.models import VersionName

MAX_ADVICE = 1000
"""Maximum length of a project's status."""

MEDIA_TYPE = "application/vnd.pypi.simple.v1+json"

# No spaces at the ends, no control characters, no "." or ".." in the path of a URL.
VersionText = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\x00-\x20\x7f./]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$", max_length=200
    ),
]

_ABSOLUTE = re.compile(r"https?://\w[\w./%+~@:=,!-]*", re.ASCII)


def _splittable(url: str) -> str:
    if not _ABSOLUTE.fullmatch(url):
        urlsplit(url)  # raises ValueError here instead of at a later use of the address
    return url


class _File(BaseModel):
    model_config = ConfigDict(strict=True)

    filename: str = Field(min_length=1, max_length=500)
    url: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_splittable)]
    upload_time: Moment = Field(None, alias="upload-time")
    size: OrNone[Annotated[int, Field(ge=0, lt=2**53)]] = None
    hashes: OrNone[dict[str, Any]] = None
    yanked: OrNone[bool | str] = None
    requires_python: OrNone[Annotated[str, StringConstraints(max_length=MAX_REQUIRES_PYTHON)]] = (
        Field(None, alias="requires-python")
    )
    metadata_file: OrNone[bool | dict[str, Any]] = Field(
        None,
        validation_alias=AliasChoices(
            "core-metadata", "dist-info-metadata", "data-dist-info-metadata"
        ),
    )


class _Meta(BaseModel):
    api_version: str = Field("1.0", alias="api-version", pattern=r"^1\.\d+$")
    last_serial: OrNone[int] = Field(None, alias="_last-serial")


class _Status(BaseModel):
    status: str = "active"
    reason: OrNone[str] = None


class _Page(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str
    files: tuple[Entry[_File], ...] = Field(strict=False)
    versions: OrNone[tuple[Entry[VersionText], ...]] = Field(None, strict=False)
    meta: _Meta | None = None
    project_status: OrNone[_Status] = Field(None, alias="project-status")


@dataclass(frozen=True, slots=True)
class MetadataFile:
    """The address of a release's core metadata, with its digest if the index has it."""

    url: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """A file of a release, such as a wheel or source distribution."""

    filename: str
    url: str
    size: int | None = None
    """In bytes; ``None`` if the index does not have it."""
    sha256: str | None = None
    """``None`` if the index does not have it."""

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Release:
    """One version, described by its files."""

    name: VersionName
    release_date: datetime | None
    yanked: bool
    requires_python: str | None = None
    """From the file for the newest CPython on Linux; other files may differ."""
    metadata_files: tuple[MetadataFile, ...] = ()
    """The announced metadata files, best first, or else one that may exist."""
    files: tuple[DistributionFile, ...] = ()
    """Best first."""

    @property
    def metadata_file(self) -> MetadataFile | None:
        """The best metadata file."""
        return self.metadata_files[0] if self.metadata_files else None


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """``withheld``: PyPI has put the project in quarantine and offers none of its files.

    ``serial`` is that of the project's last change, if the index has it. ``skipped`` are versions
    and files that are not readable, for the log.
    """

    releases: tuple[Release, ...]
    withheld: bool
    serial: int | None = None
    skipped: tuple[str, ...] = ()
    advice: str | None = None
    """The project's status if it advises against its use, with the reason if any."""


def parse_project_page(body: bytes, url: str, project: str) -> ProjectPage:
    """Read a project's page.

    Raises:
        MalformedMetadata: the page is not JSON or belongs to another project, a field is missing or
            has the wrong type, or the API version is not 1.x.
    """
    page = read_json(_Page, body, url)
    if canonicalize_name(page.name) != canonicalize_name(project):
        raise MalformedMetadata(f"name: this is the page of {page.name!r}", url=url)
    files = _files_by_version(page, project)
    skipped = (
        *(f"versions.{text}" for text in unreadable(page.versions or ())),
        *(f"files.{text}" for text in unreadable(page.files)),
    )
    if skipped and not files:
        raise MalformedMetadata(skipped[0], url=url)
    return ProjectPage(
        tuple(_release(VersionName(name), of, url) for name, of in files.items()),
        withheld=page.project_status is not None and page.project_status.status == "quarantined",
        serial=page.meta.last_serial if page.meta else None,
        skipped=skipped,
        advice=_advice(page.project_status),
    )


def _advice(said: _Status | None) -> str | None:
    if said is None or said.status not in {"archived", "deprecated", "quarantined"}:
        return None
    reason = " ".join((said.reason or "").split())
    return ": ".join(filter(None, (said.status, reason)))[:MAX_ADVICE].rstrip()


def _files_by_version(page: _Page, project: str) -> dict[str, list[_File]]:
    """The files of each version, without files whose names contain no version."""
    versions = [text for text in page.versions or () if not isinstance(text, Unreadable)]
    index = VersionIndex(project, versions)
    find = index.derive if page.versions is None else index.version_of
    files: dict[str, list[_File]] = {version: [] for version in versions}
    for file in page.files:
        if not isinstance(file, Unreadable) and (version := find(file.filename)):
            files.setdefault(version, []).append(file)
    return files


def _release(name: VersionName, files: list[_File], page_url: str) -> Release:
    dates = [file.upload_time for file in files if file.upload_time]
    files = _ranked(files)
    return Release(
        name=name,
        release_date=min(dates, default=None),
        yanked=bool(files) and all(file.yanked not in (None, False) for file in files),
        requires_python=(files[0].requires_python or None) if files else None,
        metadata_files=_metadata_files(files, page_url),
        files=tuple(
            DistributionFile(
                file.filename, file_address(file.url, page_url), file.size, _digest(file.hashes)
            )
            for file in files
        ),
    )


def _metadata_files(files: list[_File], page_url: str) -> tuple[MetadataFile, ...]:
    """The announced metadata files, or else the best one that may exist.

    An index older than PEP 714 announces none but may have them; ``false`` means no. If it does not
    exist, reading inside its wheel costs no more requests than trying the next one.
    """
    announced = [file for file in files if file.metadata_file not in (None, False)]
    possible = [f for f in files if f.metadata_file is None and f.filename.endswith(".whl")]
    return tuple(
        MetadataFile(file_address(file.url, page_url) + ".metadata", _digest(file.metadata_file))
        for file in announced or possible[:1]
    )


def file_address(address: str, page_url: str) -> str:
    """The absolute address of a file without its fragment."""
    # Most addresses are absolute, and need no splitting and joining.
    return address if _ABSOLUTE.fullmatch(address) else urljoin(page_url, urldefrag(address).url)


def _digest(digests: object) -> str | None:
    digest = digests.get("sha256") if isinstance(digests, dict) else None
    # A digest that is not text is kept as announced; no content matches it.
    return None if digest is None else str(digest)


def _ranked(files: list[_File]) -> list[_File]:
    """Wheels first, the best ones first; most releases have one wheel and one other file."""
    wheels = [file for file in files if file.filename.endswith(".whl")]
    others = [file for file in files if not file.filename.endswith(".whl")]
    for each in (wheels, others):
        if len(each) > 1:
            each.sort(key=lambda file: wheel_rank(file.filename))
    return wheels + others
