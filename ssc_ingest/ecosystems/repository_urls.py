"""Finds the address of a package's repository in its link fields.

Registries do not check these fields: any of them may contain a home page, a bug tracker, an address
for ``git clone`` or prose. A result has the form ``https://host/owner/repo``, on some hosts with a
longer path (``https://gitbox.apache.org/repos/asf/repo``). The *vendor* is its owner, on hosts
whose owners are responsible for the code.
"""

import re
from collections.abc import Iterable

from ssc_ingest.models import NOT_AVAILABLE

OWNER_HOSTS = frozenset({"github.com", "gitlab.com", "bitbucket.org"})
"""Hosts whose first path segment names the owner of a repository."""

MAX_LENGTH = 500
"""Maximum characters of an address; addresses are stored with every package of a project."""

_SHORTHAND = re.compile(r"(?:(github|gitlab|bitbucket):)?([\w.-]+)/([\w.-]+?)(?:\.git)?(?:#.*)?")
_SHORTHAND_HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}

# git+https://u:p@host:8443/o/r.git?q#f, ssh://git@host:o/r, git@host:o/r, host/o/r
_ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?"
    r"(?:(?P<user>[^@/\s]*)@)?"
    r"(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)+)"
    r"(?P<port>:\d{1,5}(?=/))?"
    r"[:/]/*(?P<path>[^?#]*)(?:[?#].*)?",
    re.IGNORECASE,
)
# https://gitbox.apache.org/repos/asf?p=commons-io.git;a=summary
_GITWEB = re.compile(r"([^?#]+?)/*\?p=([^?#;&]+\.git)(?:[;&#].*)?$", re.IGNORECASE)
_SEGMENT = re.compile(r"[\w.~%+-]+", re.ASCII)
# Pages about accounts and lists, at the position of a repository's owner.
_NOT_OWNERS = frozenset({"orgs", "sponsors", "topics", "users", "apps", "marketplace", "groups"})
_PAGES = re.compile(r".+\.(?:github|gitlab|codeberg)\.(?:io|page)")
# Hosts of code by their usual names: gitlab.gnome.org, git.kernel.org, code.example.org.
_FORGE = re.compile(
    r"(?:[\w-]*git[\w-]*|codeberg|opendev|notabug|salsa|sourceforge|code|src|source|scm|hg)\..+"
    r"|(?:.+\.)?(?:bitbucket\.org|sr\.ht)"
)
_VERSION_CONTROL = re.compile(r"(?:git|hg|svn|ssh)\b")


def clean_repository_url(candidates: Iterable[str | None]) -> str:
    """The first candidate that names a repository, as ``https://host/owner/repo``.

    A home page may have the same form. So an address counts only on a code host, or if it is
    written for version control (``git+https://``, ``git@host:``, ``.git``): a wrong repository
    would be worse than none.

    Returns:
        The cleaned address, without credentials, or ``"n/a"``.
    """
    cleaned = (url for text in candidates if text and (url := _clean(text)))
    return next(cleaned, NOT_AVAILABLE)


def vendor_of(repository_url: str, fallback: str = NOT_AVAILABLE) -> str:
    """The owner in a cleaned repository URL, or the fall-back on hosts without owners."""
    host, _, path = repository_url.partition("://")[2].partition("/")
    owner = path.partition("/")[0]
    return owner if owner and host in OWNER_HOSTS else fallback


def expand_shorthand(text: str) -> str:
    """``owner/repo`` and ``gitlab:owner/repo`` as an address; other text unchanged.

    These are npm's hosted-git short forms; without a prefix they mean GitHub.
    https://docs.npmjs.com/cli/configuring-npm/package-json#repository
    """
    match = _SHORTHAND.fullmatch(text.strip())
    if match is None:
        return text
    host, owner, repository = match.groups()
    return f"https://{_SHORTHAND_HOSTS[host or 'github']}/{owner}/{repository}"


def _clean(text: str) -> str | None:
    text = text.strip()
    if len(text) > MAX_LENGTH:
        return None
    match = _ADDRESS.fullmatch(_GITWEB.sub(r"\1/\2", text))
    if match is None:
        return None
    host, path = match["host"].lower().removeprefix("www."), match["path"]
    scheme = (match["scheme"] or "").lower()
    for_cloning = _VERSION_CONTROL.match(scheme) or match["user"] == "git" or path.endswith(".git")
    on_forge = host in OWNER_HOSTS or (scheme and _FORGE.fullmatch(host))
    if not (on_forge or for_cloning) or _PAGES.fullmatch(host):
        return None
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) < 2 or segments[0].lower() in _NOT_OWNERS:  # noqa: PLR2004 (owner and repo)
        return None
    # On these hosts, deeper paths are pages; on others, they may be repositories.
    end = next((n for n, part in enumerate(segments) if n and part.endswith(".git")), 1)
    parts = segments[:2] if host in OWNER_HOSTS else segments[: end + 1]
    parts[-1] = parts[-1].removesuffix(".git")
    if not all(_SEGMENT.fullmatch(part) and part.strip(".") for part in parts):
        return None
    # A port belongs to its protocol: SSH's is wrong in a web address.
    web = scheme.removeprefix("git+")
    port = match["port"] if match["port"] and web in {"http", "https"} else ""
    plain = web == "http" and host not in OWNER_HOSTS
    return f"{'http' if plain else 'https'}://{host}{port}/{'/'.join(parts)}"
