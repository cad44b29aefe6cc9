"""Every property of packages, versions and requirements: one table for each.

The statements, rows, differences, stubs, views and migration, and the tables of
``docs/data-model.md`` (``make docs``), are made from these tables. A new property is a field of
:mod:`ssc_ingest.models` that the registries fill, and a row here.
"""

from collections.abc import Callable

from ssc_ingest.graph.tables import Property, Table, Update
from ssc_ingest.graph.values import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    MOMENT,
    STRING,
    STRINGS,
    UNIQUE,
)
from ssc_ingest.models import NOT_AVAILABLE, Package


def _spelled(attribute: str) -> Callable[[Package], str | None]:
    """Of the reference, where the registry was asked for its own spelling."""

    def get(package: Package) -> str | None:
        is_read = package.vendor is not None or package.repository_url is not None
        return getattr(package.ref, attribute) if is_read else None

    return get


PACKAGE = Table(
    Property(
        name="purl",
        type=UNIQUE,
        update=Update.FIXED,
        source="ref.purl",
        default=...,
        about="identity, without version",
    ),
    Property(
        name="name",
        type=STRING,
        update=Update.KEEP,
        source=_spelled("name"),
        default=...,
        stub="name",
        about="what readers look up: the registry's name in lower case. A stub's is provisional, "
        "as the requirement spelled it",
    ),
    Property(
        name="registry_name",
        type=STRING,
        update=Update.KEEP,
        source=_spelled("registry_name"),
        default=...,
        stub="registry_name",
        about="the registry's own spelling, for requests",
    ),
    Property(
        name="vendor",
        type=STRING,
        update=Update.KEEP,
        default=NOT_AVAILABLE,
        about="owner of the repository or scope, `n/a` where unknown",
    ),
    Property(
        name="repository_url",
        type=STRING,
        update=Update.KEEP,
        default=NOT_AVAILABLE,
        about="`n/a` where unknown",
    ),
    Property(
        name="import_names",
        type=STRINGS,
        update=Update.KEEP,
        default=[],
        about="what source code imports, sorted",
    ),
    Property(
        name="moment",
        type=MOMENT,
        update=Update.WRITER,
        about="when the registry was last asked",
    ),
    Property(
        name="latest",
        type=STRING,
        update=Update.FOLLOW,
        about="the version that a plain install takes: the highest stable one that is not yanked",
    ),
    Property(
        name="group_id",
        type=STRING,
        update=Update.WRITER,
        default=...,
        about="Maven only: one of its coordinates, as the registry spells it",
    ),
    Property(
        name="artifact_id",
        type=STRING,
        update=Update.WRITER,
        default=...,
        about="Maven only: the other one",
    ),
    Property(
        name="etag",
        type=STRING,
        update=Update.FOLLOW,
        about="the registry's validator of the document that this was read from",
    ),
    Property(
        name="gone_since",
        type=MOMENT,
        update=Update.WRITER,
        about="when the registry was first asked and did not have the package any more; absent on "
        "all others",
    ),
)
"""Of packages. Further properties of a reference (``PackageRef.properties``) are written as they
are, on stubs as well: ``group_id`` and ``artifact_id``."""

VERSION = Table(
    Property(
        name="purl",
        type=UNIQUE,
        update=Update.FIXED,
        default=...,
        about="the package's purl, `@`, the version percent-encoded",
    ),
    Property(
        name="name",
        type=STRING,
        update=Update.FIXED,
        default=...,
        about="the version as the registry spells it; NuGet's in normalised form "
        "(`1.0` is `1.0.0`)",
    ),
    Property(
        name="serial_number",
        type=INTEGER,
        update=Update.WRITER,
        default=...,
        about="0 … n-1 in the ecosystem's order, prereleases and yanked ones included; those that "
        "no ordering can parse come first. Renumbered in the same transaction that adds versions",
    ),
    Property(
        name="release_date",
        type=DATE,
        update=Update.KEEP,
        about="ISO 8601, UTC",
    ),
    Property(
        name="vulnerabilities",
        type=STRINGS,
        update=Update.ELSEWHERE,
        default=[],
        about="ids of the advisories that affect it; empty until advisories are synced",
    ),
    Property(
        name="mean",
        type=FLOAT,
        update=Update.ELSEWHERE,
        default=0.0,
        about="mean of the CVSS 3 scores of its advisories, `sum(s)/n`; 0.0 where there are none",
    ),
    Property(
        name="weighted_mean",
        type=FLOAT,
        update=Update.ELSEWHERE,
        default=0.0,
        about="the same, weighted: `sum(s²)/sum(s)`",
    ),
    Property(
        name="yanked",
        type=BOOLEAN,
        update=Update.FOLLOW,
        default=False,
        about="withdrawn by its publisher; of NuGet, unlisted",
    ),
    Property(
        name="requirements_digest",
        type=STRING,
        update=Update.WRITER,
        about="fingerprint of the requirements as the registry gave them, so that unchanged ones "
        "are not compared edge by edge",
    ),
)
"""Of versions."""

REQUIREMENT = Table(
    Property(
        name="constraints",
        type=STRING,
        update=Update.FOLLOW,
        default=...,
        about="the accepted range in the notation of the ecosystem's version class in "
        "[univers](https://github.com/aboutcode-org/univers) 31.1.0; `any` for every version; "
        "never empty",
    ),
    Property(
        name="parent_version_name",
        type=STRING,
        update=Update.WRITER,
        about="purl of the package that owns the version. On an edge from a `RequirementFile` it "
        "is absent",
    ),
)
"""Of the edges from versions to packages, which become equal to the registry's requirements."""
