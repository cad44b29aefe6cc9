"""PyPI's identity, and names of projects."""

import re

from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.base import Identity
from ssc_ingest.ecosystems.endpoints import Endpoint
from ssc_ingest.errors import InvalidName
from ssc_ingest.models import PackageRef, Purl

IDENTITY = Identity(
    name="pypi",
    title="PyPI",
    label="PyPIPackage",
    purl_type="pypi",
    osv_name="PyPI",
    ingestion_hour=2,
    update_hour=10,
    endpoints=(
        Endpoint(
            key="index",
            url="https://pypi.org/simple",
            rate=10,
            about="Simple repository API (PEP 691): names, versions and files",
        ),
        Endpoint(
            key="json",
            url="https://pypi.org/pypi",
            rate=10,
            about="JSON API: requirements of releases without a metadata file",
        ),
        Endpoint(
            key="files",
            url="https://files.pythonhosted.org",
            rate=20,
            about="files and their metadata (PEP 658)",
        ),
    ),
)

MAX_NAME_LENGTH = 255
"""PyPI publishes no limit; its longest names have some 100 characters."""

# https://packaging.python.org/specifications/name-normalization/
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)


def project(name: str) -> PackageRef:
    """The project of that name, in any spelling: ``Ruamel.YAML`` is ``pkg:pypi/ruamel-yaml``.

    Raises:
        InvalidName: no project can have this name.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(f"a PyPI name has at most {MAX_NAME_LENGTH} characters: {name[:40]!r}...")
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"not a PyPI name: {name!r} (ASCII letters, digits, '.', '-' and '_'; the first and "
            "the last are a letter or digit)"
        )
    return PackageRef(
        ecosystem=IDENTITY.name,
        label=IDENTITY.label,
        purl=Purl(f"pkg:{IDENTITY.purl_type}/{canonicalize_name(name)}"),
        name=name.lower(),
        registry_name=name,
    )
