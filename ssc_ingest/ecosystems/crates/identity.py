"""Names of crates.

Names are case-insensitive, so both the graph's name and the package URL are in
lower case. ``-`` and ``_`` are different characters: crates.io allows no two crates that differ
only in them, but it finds a crate only by its own spelling.
https://doc.rust-lang.org/cargo/reference/registry-index.html#name-restrictions
"""

import re
from functools import lru_cache

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

IDENTITY = Identity(
    name="cargo",
    title="crates.io",
    label="CargoPackage",
    purl_type="cargo",
    osv_name="crates.io",
    ingestion_hour=6,
    update_hour=16,
    endpoints=(
        Endpoint(
            key="index",
            url="https://index.crates.io",
            rate=50,
            about="the sparse index: versions and their requirements",
        ),
        Endpoint(
            key="crates",
            url="https://static.crates.io/crates",
            rate=20,
            about="crate files, which contain a crate's repository and import names",
        ),
        Endpoint(
            key="static",
            url="https://static.crates.io",
            rate=20,
            about="the database dump and the feed of new versions",
        ),
    ),
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@lru_cache(maxsize=16_384)
def reference(name: str) -> PackageRef:
    """The crate of that name, in upper or lower case.

    Raises:
        InvalidName: crates.io does not allow such a name.
    """
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 100 else f"{name[:100]}..."  # noqa: PLR2004 (for people)
        raise InvalidName(
            f"{shown!r} cannot be a crate name: expected a letter, then up to 63 letters, digits, "
            "hyphens and underscores"
        )
    lower = name.lower()
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{lower}"),
        name=lower,
        registry_name=name,
    )
