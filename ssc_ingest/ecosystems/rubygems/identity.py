"""Names of gems.

The registry is case-sensitive, and a few old gems differ only in case. So the package URL keeps the
registry's spelling (``pkg:gem/ZenTest``); otherwise one gem would get the versions of another.
:mod:`.lower_case` assigns the lower-case name.
https://guides.rubygems.org/specification-reference/#name
"""

import re
from functools import lru_cache

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

IDENTITY = Identity(
    name="rubygems",
    title="RubyGems",
    label="RubyGemsPackage",
    purl_type="gem",
    osv_name="RubyGems",
    ingestion_hour=7,
    update_hour=18,
    endpoints=(
        Endpoint(
            key="index",
            url="https://index.rubygems.org",
            rate=10,
            about="the compact index: versions and their requirements",
        ),
        Endpoint(
            key="api",
            url="https://rubygems.org/api/v1",
            rate=5,
            about="links of gems, and dates that the index lacks",
        ),
        Endpoint(
            key="downloads",
            url="https://rubygems.org/downloads",
            rate=5,
            about="gem files, which contain a gem's import names",
        ),
    ),
)

MAX_NAME_LENGTH = 255

# Gem::Specification::VALID_NAME_PATTERN; there are gems called "-", "_" and ".cat".
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@lru_cache(maxsize=16_384)
def reference(name: str) -> PackageRef:
    """The gem of that exact name.

    ``name`` of the result is provisional for a gem with capitals: :mod:`.lower_case`.

    Raises:
        InvalidName: no gem can have this name.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(
            f"names of gems have at most {MAX_NAME_LENGTH} characters, this one has {len(name)}"
        )
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise InvalidName(
            f"{name!r} cannot be a gem's name: expected letters, digits, dots, hyphens and "
            "underscores"
        )
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{name}"),
        name=name,
        registry_name=name,
    )
