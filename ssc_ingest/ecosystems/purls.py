"""Package URLs as people write them.

An inexact spelling is accepted if it is unambiguous (``pkg:PyPI/Rich``, ``pkg:npm/@scope/name``);
otherwise the error suggests the nearest valid spelling. https://github.com/package-url/purl-spec
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

from packageurl import PackageURL
from packageurl.validate import DEFINITIONS_BY_TYPE

from ssc_ingest.ecosystems import ecosystems, of_purl_type
from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.errors import InvalidArguments, InvalidName, InvalidPurl, UnknownEcosystem
from ssc_ingest.models import PackageRef, Purl

MAX_LENGTH = 1000
"""Maximum characters, far above the longest names and versions of registries."""

SHOWN = 80
"""Maximum characters of the text in an error."""

NEUTRAL_TYPE = "generic"
"""A type whose names the purl library does not change. For other types it changes the case, which
in some registries names another package."""

_SCHEME = re.compile(r"(?:pkg|purl):/*", re.IGNORECASE)
_TYPE_AND_REST = re.compile(r"([A-Za-z][A-Za-z0-9.+-]*)(?:[/:]+|\s+)(\S.*)")
# A requirement as package managers write it: name, extras, version.
_REQUIREMENT = re.compile(
    r"(@?[^@=<>!~^\s\[;,?#]+)\s*(?:\[[^\]]*\])?\s*(?:(?:={1,3}|@)\s*([^\s,;=?#]+))?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageName:
    """The package or version of a package URL."""

    ecosystem: type[Ecosystem]
    ref: PackageRef
    version: str | None = None

    @property
    def purl(self) -> Purl:
        """The canonical spelling, with the version if there is one."""
        if self.version is None:
            return self.ref.purl
        return self.ecosystem.version_purl(self.ref, self.version)


def parse_purl(text: str) -> PackageName:
    """Read a package URL.

    Raises:
        InvalidPurl: the text is not a package URL; the error suggests a similar package URL, if
            possible.
        UnknownEcosystem: packages of that type are not supported.
        InvalidName: no package can have its name.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise InvalidPurl(
            f"{_shown(text)} has {len(text)} characters; no package URL has more than {MAX_LENGTH}"
        )
    if _CONTROL.search(text):
        raise InvalidPurl(f"{_shown(text)} has control characters")
    if not text:
        raise InvalidPurl(f"a package URL is missing; write one like {_example()}")
    scheme, _, rest = text.partition(":")
    purl_type, slash, path = rest.lstrip("/").partition("/")
    if scheme.lower() != "pkg" or not slash:
        raise InvalidPurl(
            f"{_shown(text)} is not a package URL ({_form()})", suggestion=_suggest(text)
        )
    cls = of_purl_type(purl_type.lower())
    if cls is None:
        raise _unknown_type(purl_type, text)
    return _parse_path(cls, path, text)


def _parse_path(cls: type[Ecosystem], path: str, text: str) -> PackageName:
    if path.startswith("@"):
        path = f"%40{path[1:]}"  # a version cannot come before a name: it is a namespace
    try:
        purl = PackageURL.from_string(f"pkg:{NEUTRAL_TYPE}/{path}")
    except ValueError:
        raise InvalidPurl(f"{_shown(text)} names no package ({_form()})") from None
    try:
        ref = cls.ref(cls.name_from_purl(purl))
    except InvalidName as error:
        if suggestion := _suggest(text):
            raise InvalidPurl(str(error), suggestion=suggestion) from error
        raise
    name = PackageName(ecosystem=cls, ref=ref, version=purl.version or None)
    if "repository_url" in purl.qualifiers:
        raise InvalidPurl(
            f"{_shown(text)} names a package of another registry than {cls.identity.title}; "
            "only the configured one is used",
            suggestion=name.purl,
        )
    if name.version and (_CONTROL.search(name.version) or "/" in name.version):
        raise InvalidPurl(f"{_shown(text)} has an invalid version", suggestion=ref.purl)
    return name


def _unknown_type(purl_type: str, text: str) -> InvalidPurl | UnknownEcosystem:
    message = f"packages of type {purl_type!r} are not supported (supported: {_types()})"
    suggestion = _suggest(text)
    return InvalidPurl(message, suggestion=suggestion) if suggestion else UnknownEcosystem(message)


def _suggest(text: str) -> Purl | None:
    """The nearest valid spelling: the first reading that an ecosystem accepts."""
    rest = _SCHEME.sub("", text, count=1)
    if match := _TYPE_AND_REST.fullmatch(rest):
        named, rest_of_named = match.groups()
        if cls := _nearest(named):
            return next(_readings(cls, rest_of_named), None)
        if named.lower() in DEFINITIONS_BY_TYPE or "://" in rest:
            return None
    elif rest.rstrip(":/").lower() in _by_type():
        return None
    for cls in ecosystems().values():
        for purl in _readings(cls, rest):
            return purl
    return None


def _readings(cls: type[Ecosystem], requirement: str) -> Iterator[Purl]:
    match = _REQUIREMENT.match(unquote(requirement).strip())
    if match is None:
        return
    name, version = match.groups()
    try:
        ref = cls.ref(name)
    except InvalidName:
        return
    yield PackageName(ecosystem=cls, ref=ref, version=version).purl


def _nearest(word: str) -> type[Ecosystem] | None:
    """The ecosystem with this name, or a similar one, in one of its spellings."""
    if word.lower() in DEFINITIONS_BY_TYPE and word.lower() not in _by_type():
        return None  # a known type, but not supported
    spellings = {
        spelling.lower(): cls
        for cls in ecosystems().values()
        for spelling in (
            cls.identity.purl_type,
            cls.identity.name,
            cls.identity.title,
            cls.identity.osv_name,
            cls.identity.label,
        )
    }
    close = get_close_matches(word.lower(), spellings, n=1, cutoff=0.5)
    return spellings[close[0]] if close else None


def _shown(text: str) -> str:
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}..."


def _by_type() -> dict[str, type[Ecosystem]]:
    return {cls.identity.purl_type: cls for cls in ecosystems().values()}


def _types() -> str:
    return ", ".join(_by_type())


def _form() -> str:
    return f"pkg:TYPE/NAME or pkg:TYPE/NAME@VERSION; types: {_types()}"


def _example() -> str:
    return f"pkg:{next(iter(_by_type()))}/NAME"


def reference_of(purl: Purl, name: str) -> PackageRef | None:
    """The package of a node, in the node's spelling if that means the same package.

    ``None`` if the purl's ecosystem is not supported.
    """
    with suppress(InvalidArguments):
        found = parse_purl(purl)
        with suppress(InvalidName):
            spelled = found.ecosystem.ref(name)
            if spelled.purl == purl:
                return spelled
        return found.ref
    return None
