"""The compact index's file of one gem: a line for each version and platform.

https://guides.rubygems.org/rubygems-org-compact-index-api/#get---inforubygem::

    ---
    1.0.0-java rake:>= 0.8&< 14,json:~> 2.0|checksum:84fd0e...,created_at:2026-06-11T12:34:56Z

The text before ``---`` is opaque. Unknown keys after ``|`` are ignored. A line in another form, or
with a prerelease after the dash (``1.0.0-beta.1``, which RubyGems rejects), is skipped with a
warning: old files contain unchecked data of authors. A file without ``---``, or without a readable
line, is an error. A truncated file would be readable, so its digest is checked if the host
announces it.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ssc_ingest.ecosystems.rubygems.identity import IDENTITY
from ssc_ingest.ecosystems.rubygems.requirements import MAX_REQUIREMENT_LENGTH, spelled
from ssc_ingest.ecosystems.rubygems.versions import NUMBER
from ssc_ingest.ecosystems.wire import parse_moment
from ssc_ingest.errors import MalformedMetadata, RegistryUnavailable
from ssc_ingest.logs import get_logger
from ssc_ingest.models import PackageRef, VersionName

logger = get_logger(__name__)

MAX_VERSION_LENGTH = 200
"""Maximum characters; real ones have about 50."""

PURE_RUBY = "ruby"
"""The platform of a build that runs everywhere."""

ENGINES = ("ruby", "rubygems")
"""What a build needs besides gems."""

DEFAULT_REQUIREMENT = ">= 0"

_SHA256 = re.compile(r"\bsha-256=:([A-Za-z0-9+/=]+):")
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LINE = re.compile(
    rf"(?P<number>{NUMBER})(?:-(?P<platform>[^\s|]+))?"
    r"(?:\ (?P<dependencies>[^|]*)(?:\|(?P<facts>.*))?)?"
)

_PRERELEASE = re.compile(
    r"(?:a|alpha|b|beta|c|dev|m|milestone|nightly|p|patch|pre|preview|rc|snapshot)?[0-9.-]*",
    re.IGNORECASE,
)
"""Text after the dash of a line that is not a platform: ``beta.1``, ``rc2``, ``1``."""

_BEGINNING = re.compile(r"^[^\s|-]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Build:
    """A version as it was built for one platform."""

    requirements: dict[str, str]
    """By gem, as the index writes them."""
    engines: dict[str, str]
    """The versions of ``ruby`` and ``rubygems`` that it needs, if not any."""
    created_at: datetime | None
    sha256: str | None = field(default=None, compare=False)
    """The digest of its file."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version with its builds by platform."""

    number: VersionName
    builds: dict[str, Build] = field(default_factory=dict)

    @property
    def release_date(self) -> datetime | None:
        """The date of the first build, if the index has it."""
        return min((b.created_at for b in self.builds.values() if b.created_at), default=None)


def check_digest(body: bytes, announced: str, url: str) -> None:
    """Compare the file with the ``Repr-Digest`` header (RFC 9530), if it has a SHA-256.

    The announced digest is that of the decompressed file, even if it is sent compressed.

    Raises:
        RegistryUnavailable: the digests differ.
    """
    compare_digest(hashlib.sha256(body).digest(), announced, url)


def compare_digest(sha256: bytes, announced: str, url: str) -> None:
    """Like :func:`check_digest`, for a digest that is already computed."""
    match = _SHA256.search(announced)
    if match and b64encode(sha256).decode() != match[1]:
        raise RegistryUnavailable("the file does not have its announced SHA-256", url=url)


def parse_info(body: bytes, ref: PackageRef, url: str) -> dict[VersionName, Release]:
    """The gem's versions by number; none if all were yanked.

    Raises:
        MalformedMetadata: the body is not a gem's info file.
    """
    lines = [line.rstrip("\r") for line in body.decode(errors="replace").split("\n")]
    try:
        lines = list(filter(None, lines[lines.index("---") + 1 :]))
    except ValueError:
        raise MalformedMetadata(f"index of {ref.registry_name} has no line ---", url=url) from None
    releases: dict[VersionName, Release] = {}
    unreadable = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if (
            match is None
            or len(match["number"]) > MAX_VERSION_LENGTH
            or (match["platform"] and _PRERELEASE.fullmatch(match["platform"]))
        ):
            unreadable.append(line[:100])
            continue
        number = VersionName(match["number"])
        build = _build(match["dependencies"] or "", match["facts"] or "")
        release = releases.setdefault(number, Release(number))
        release.builds[match["platform"] or PURE_RUBY] = build
    if unreadable and not releases:
        raise MalformedMetadata(
            f"index of {ref.registry_name} has no line of the form VERSION DEPENDENCIES|...: "
            f"{unreadable[0]!r}",
            url=url,
        )
    if unreadable:
        logger.warning(
            "index_lines_skipped",
            ecosystem=IDENTITY.name,
            package=ref.registry_name,
            lines=unreadable[:10],
            count=len(unreadable),
        )
    return releases


def without_line(numbers: Iterable[VersionName], body: bytes) -> set[VersionName]:
    """The versions with which no line of the file begins, readable or not."""
    there = {match[0] for match in _BEGINNING.finditer(body.decode(errors="replace"))}
    return {number for number in numbers if number not in there}


def _build(dependencies: str, facts: str) -> Build:
    requirements: dict[str, str] = {}
    for dependency in filter(None, dependencies.split(",")):
        name, _, text = dependency.partition(":")
        text = text.strip() or DEFAULT_REQUIREMENT
        # A gem that is declared twice must satisfy both requirements.
        requirements[name] = f"{requirements[name]}&{text}" if name in requirements else text
    values = dict(fact.split(":", 1) for fact in facts.split(",") if ":" in fact)
    needs = {name: spelled(values.get(name, "")) for name in ENGINES}
    engines = {
        name: text
        for name, text in needs.items()
        if text not in {"", DEFAULT_REQUIREMENT} and len(text) <= MAX_REQUIREMENT_LENGTH
    }
    created_at = parse_moment(values.get("created_at"))
    digest = values.get("checksum")
    sha256 = digest if digest and _HEX_SHA256.fullmatch(digest) else None
    return Build(requirements, engines, created_at, sha256)
