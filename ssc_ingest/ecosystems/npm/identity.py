"""Names of npm's packages.

New names are in lower case. Names with capitals from before 2017 are separate packages:
``JSONStream`` and ``jsonstream`` have different authors. So the package URL keeps the registry's
spelling. (Libraries that follow the purl specification write npm names in lower case, and then mean
the other package.) :mod:`.lower_case` assigns the lower-case name.
https://github.com/npm/validate-npm-package-name
"""

import re
from functools import lru_cache
from urllib.parse import quote

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

IDENTITY = Identity(
    name="npm",
    title="npm",
    label="NPMPackage",
    purl_type="npm",
    osv_name="npm",
    ingestion_hour=3,
    update_hour=12,
    endpoints=(
        Endpoint(
            key="registry",
            url="https://registry.npmjs.org",
            rate=5,
            about="documents and archives of packages",
        ),
        Endpoint(
            key="replicate",
            url="https://replicate.npmjs.com",
            rate=5,
            about="the database behind the registry, which reports the last sequence number of "
            "the feed (`update_seq`)",
        ),
        Endpoint(
            key="changes",
            url="https://replicate.npmjs.com/registry/_changes",
            rate=5,
            about="feed of changes, also the source of the listing",
        ),
    ),
)

MAX_NAME_LENGTH = 214

# Characters that encodeURIComponent keeps. A leading dot or underscore is reserved, but some
# scoped packages have an underscore after the slash.
_NAME = re.compile(
    r"@[A-Za-z0-9!~*'()-][A-Za-z0-9._!~*'()-]*/[A-Za-z0-9_!~*'()-][A-Za-z0-9._!~*'()-]*"
    r"|[A-Za-z0-9!~*'()-][A-Za-z0-9._!~*'()-]*"
)
_RESERVED = frozenset({"node_modules", "favicon.ico"})


@lru_cache(maxsize=16_384)
def reference(name: str) -> PackageRef:
    """The package of that exact name.

    ``name`` of the result is provisional for a package with capitals: :mod:`.lower_case`.

    Raises:
        InvalidName: npm has never allowed such a name.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(
            f"npm package names have at most {MAX_NAME_LENGTH} characters, this one has {len(name)}"
        )
    if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise InvalidName(
            f"{name!r} cannot be an npm package name: expected name or @scope/name of letters, "
            "digits and - . _ ! ~ * ' ( ), not starting with a dot or underscore"
        )
    path = "/".join(quote(part, safe="") for part in name.split("/"))
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{path}"),
        name=name,
        registry_name=name,
    )


def scope(ref: PackageRef) -> str | None:
    """``@scope`` of a scoped package."""
    return ref.registry_name.partition("/")[0] if ref.registry_name.startswith("@") else None


def document_path(name: str) -> str:
    """The path segment of the package's document: ``@scope%2fname``."""
    return "@" + quote(name[1:], safe="") if name.startswith("@") else quote(name, safe="")
