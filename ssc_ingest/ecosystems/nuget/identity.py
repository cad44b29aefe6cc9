"""Names of NuGet's packages.

Ids are case-insensitive, and URLs have them in lower case, by .NET's invariant culture; so have the
graph's name and the package URL. https://learn.microsoft.com/nuget/reference/nuspec#id
"""

import re
from functools import lru_cache
from urllib.parse import quote

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

IDENTITY = Identity(
    name="nuget",
    title="NuGet",
    label="NuGetPackage",
    purl_type="nuget",
    osv_name="NuGet",
    ingestion_hour=5,
    update_hour=20,
    endpoints=(
        Endpoint(
            key="registration",
            url="https://api.nuget.org/v3/registration5-gz-semver2",
            rate=20,
            about=(
                "package metadata; for another source, RegistrationsBaseUrl/3.6.0 in its service "
                "index"
            ),
        ),
        Endpoint(
            key="content",
            url="https://api.nuget.org/v3-flatcontainer",
            rate=20,
            about="packages and their nuspec; PackageBaseAddress/3.0.0 in a service index",
        ),
        Endpoint(
            key="catalog",
            url="https://api.nuget.org/v3/catalog0",
            rate=20,
            about=(
                "every publication, for listings and updates; Catalog/3.0.0 in a service index, "
                "without index.json"
            ),
        ),
    ),
)

MAX_NAME_LENGTH = 100

# NuGet.Packaging's PackageIdValidator.
_NAME = re.compile(r"\w+(?:[.-]\w+)*")


def invariant_lower(text: str) -> str:
    """The text in lower case by .NET's invariant culture: character by character.

    ``İ`` (a dotted capital I) has no single lower-case character there, and stays.
    """
    return "".join(lower if len(lower := c.lower()) == 1 else c for c in text)


@lru_cache(maxsize=16_384)
def reference(name: str) -> PackageRef:
    """The package of that id, in upper or lower case.

    Raises:
        InvalidName: NuGet does not allow such an id.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(
            f"NuGet package ids have at most {MAX_NAME_LENGTH} characters, this one has {len(name)}"
        )
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} cannot be a NuGet package id: expected words of letters, digits and "
            "underscores, joined by single dots or hyphens"
        )
    lower = invariant_lower(name)
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{quote(lower, safe='')}"),
        name=lower,
        registry_name=name,
    )
