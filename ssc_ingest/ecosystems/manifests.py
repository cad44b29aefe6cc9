"""Detects entries of projects' manifests that name no package of a registry.

Other services request every entry of a manifest, also options of an installer, paths, addresses,
and properties of a build.
"""

import re

from ssc_ingest.errors import InvalidName

MAX_SHOWN = 100
"""Maximum characters of the text in an error."""

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?//|git@|git\+|(?:file|link|portal|path):|\.{0,2}/|[a-z]:\\",
    re.IGNORECASE,
)
_PROPERTY = re.compile(r"\$\{[^}]*\}?|\$\([^)]*\)?|\{\{")
# "npm:" is a protocol, too, whose target is a package of the registry.
_PROTOCOL = re.compile(
    r"(?:@\s*)?(file|link|portal|path|workspace|patch|exec|git|git\+[a-z]+|https?|ssh|github|gitlab|"
    r"bitbucket|gist):",
    re.IGNORECASE,
)


def check_name(name: str) -> None:
    """Reject a name that is not a package name.

    Raises:
        InvalidName: the text has the reason.
    """
    shown = _shown(name)
    if not name:
        raise InvalidName("the name is empty")
    if name.startswith("-"):
        raise InvalidName(f"{shown} is an option of an installer, not a package")
    if _PROPERTY.search(name):
        raise InvalidName(f"{shown} contains a property that was not resolved")
    if _ADDRESS.match(name):
        raise InvalidName(f"{shown} is an address or a path, not a package of the registry")


def check_constraints(name: str, constraints: str) -> None:
    """Reject a range of a package that is not from the registry.

    Raises:
        InvalidName: the text names the source.
    """
    if match := _PROTOCOL.match(constraints):
        raise InvalidName(
            f"{_shown(name)} does not come from the registry: its constraints are "
            f"{_shown(constraints)} ({match[1].lower()})"
        )


def _shown(text: str) -> str:
    return repr(text) if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!r}..."
