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
    FEW,
    FLAG,
    FLOAT,
    INTEGER,
    LIST,
    MOMENT,
    STRING,
    STRINGS,
    TABLE,
    UNIQUE,
    Type,
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
        "purl", UNIQUE, Update.FIXED, "identity, without version", source="ref.purl", default=...
    ),
    Property(
        "name",
        STRING,
        Update.KEEP,
        "what readers look up: the registry's name in lower case. A stub's is provisional, "
        "as the requirement spelled it",
        source=_spelled("name"),
        default=...,
        stub="name",
    ),
    Property(
        "registry_name",
        STRING,
        Update.KEEP,
        "the registry's own spelling, for requests",
        source=_spelled("registry_name"),
        default=...,
        stub="registry_name",
    ),
    Property(
        "vendor",
        STRING,
        Update.KEEP,
        "owner of the repository or scope, `n/a` where unknown",
        default=NOT_AVAILABLE,
    ),
    Property("repository_url", STRING, Update.KEEP, "`n/a` where unknown", default=NOT_AVAILABLE),
    Property("import_names", STRINGS, Update.KEEP, "what source code imports, sorted", default=[]),
    Property("moment", MOMENT, Update.WRITER, "when the registry was last asked"),
    Property(
        "latest",
        STRING,
        Update.FOLLOW,
        "the version that a plain install takes: the highest stable one that is not yanked",
    ),
    Property("dist_tags", STRING, Update.FOLLOW, "npm only: JSON object of versions by tag"),
    Property(
        "group_id",
        STRING,
        Update.WRITER,
        "Maven only: one of its coordinates, as the registry spells it",
        default=...,
    ),
    Property("artifact_id", STRING, Update.WRITER, "Maven only: the other one", default=...),
    Property(
        "etag",
        STRING,
        Update.FOLLOW,
        "the registry's validator of the document that this was read from",
    ),
    Property(
        "versions_without_facts",
        INTEGER,
        Update.WRITER,
        "of a graph that earlier releases filled: versions whose "
        "[facts](#which-facts-are-known) are still to be read; absent where there are none",
    ),
    Property(
        "gone_since",
        MOMENT,
        Update.WRITER,
        "when the registry was first asked and did not have the package any more; absent on "
        "all others",
    ),
)
"""Of packages. Further properties of a reference (``PackageRef.properties``) are written as they
are, on stubs as well: ``group_id`` and ``artifact_id``."""


def _fact(name: str, type_: Type, about: str) -> Property:
    """A fact of versions, from the same document as the requirements."""
    return Property(name, type_, Update.FOLLOW, about, read_with="requirements_digest")


VERSION = Table(
    Property(
        "purl",
        UNIQUE,
        Update.FIXED,
        "the package's purl, `@`, the version percent-encoded",
        default=...,
    ),
    Property(
        "name",
        STRING,
        Update.FIXED,
        "the version as the registry spells it; NuGet's in normalised form (`1.0` is `1.0.0`)",
        default=...,
    ),
    Property(
        "serial_number",
        INTEGER,
        Update.WRITER,
        "0 … n-1 in the ecosystem's order, prereleases and yanked ones included; those that "
        "no ordering can parse come first. Renumbered in the same transaction that adds versions",
        default=...,
    ),
    Property("release_date", DATE, Update.KEEP, "ISO 8601, UTC"),
    Property(
        "vulnerabilities",
        LIST,
        Update.ELSEWHERE,
        "ids of the advisories that affect it, sorted; empty until advisories are synced",
        default=[],
    ),
    Property(
        "mean",
        FLOAT,
        Update.ELSEWHERE,
        "mean of the CVSS 3 scores of its advisories, `sum(s)/n`, [one for each flaw]"
        "(vulnerabilities.md#scores); 0.0 where there are none",
        default=0.0,
    ),
    Property(
        "weighted_mean",
        FLOAT,
        Update.ELSEWHERE,
        "the same, weighted: `sum(s²)/sum(s)`",
        default=0.0,
    ),
    Property(
        "malicious",
        FLAG,
        Update.ELSEWHERE,
        "`true` if an advisory reports that it is malicious",
        default=False,
    ),
    Property(
        "notices",
        FEW,
        Update.ELSEWHERE,
        "ids of advisories that warn without reporting a vulnerability (RustSec: unmaintained, "
        "unsound)",
        default=[],
    ),
    Property(
        "yanked",
        BOOLEAN,
        Update.FOLLOW,
        "withdrawn by its publisher; of NuGet, unlisted",
        default=False,
    ),
    Property(
        "requirements_digest",
        STRING,
        Update.WRITER,
        "fingerprint of the requirements as the registry gave them, so that unchanged ones "
        "are not compared edge by edge: 18 hexadecimal digits, of which the first two are the "
        "[format](#which-facts-are-known)",
    ),
    Property(
        "requirements_unknown",
        FLAG,
        Update.WRITER,
        "`true` if the registry has no readable statement of all requirements: there may be more "
        "than the edges say. Absent where they are known",
        default=False,
    ),
    _fact("requires_python", STRING, "PyPI: the Python versions that it supports, PEP 440"),
    _fact(
        "engines",
        STRING,
        "npm, RubyGems: JSON object of the runtimes' ranges by name; of gems, `ruby` and "
        "`rubygems`",
    ),
    _fact("os", STRINGS, "npm: systems that it installs on; `!name` for all but one"),
    _fact("cpu", STRINGS, "npm: processors that it installs on, as `os`"),
    Property(
        "license",
        STRING,
        Update.KEEP,
        "what the registry gives as its licence, at most 200 characters",
    ),
    Property(
        "license_spdx",
        STRING,
        Update.FOLLOW,
        "the same as an SPDX expression, if it is one",
        read_with="license",
    ),
    _fact("deprecated", STRING, "the publisher's advice against it, at most 1,000 characters"),
    _fact("features", TABLE, "Cargo: JSON object of what each feature enables"),
    _fact("extra_requirements", TABLE, "PyPI: JSON object of each extra's requirements"),
    _fact(
        "peer_requirements",
        TABLE,
        'npm: JSON object of the packages that its user must install: `{name: {"range": …}}`, '
        'with `"optional": true` if it may be absent',
    ),
    _fact(
        "frameworks",
        TABLE,
        "NuGet: JSON list of the target frameworks that the version has [groups of "
        "requirements](#target-frameworks) for; absent if one group is for all of them",
    ),
    _fact(
        "builds",
        TABLE,
        "RubyGems: JSON object of the [builds](#builds-of-gems) by platform; absent if all require "
        "and need the same as the one of pure Ruby",
    ),
)
"""Of versions."""

REQUIREMENT = Table(
    Property(
        "constraints",
        STRING,
        Update.FOLLOW,
        "the accepted range in the notation of the ecosystem's version class in "
        "[univers](https://github.com/aboutcode-org/univers) 31.1.0; `any` for every version; "
        "never empty",
        default=...,
    ),
    Property(
        "kind",
        STRING,
        Update.FOLLOW,
        "`build` (crates.io), `runtime` or `relocation` (Maven: the version is nothing but a "
        "pointer to that package); absent on a plain requirement",
    ),
    Property(
        "optional",
        FLAG,
        Update.FOLLOW,
        "`true` if an install succeeds, or may be asked to do, without it",
        default=False,
    ),
    Property(
        "declared",
        STRING,
        Update.FOLLOW,
        "JSON list of the [declarations](#declarations), where the other properties do not say "
        "everything",
    ),
    Property(
        "parent_version_name",
        STRING,
        Update.WRITER,
        "purl of the package that owns the version. On an edge from a `RequirementFile` it "
        "is absent",
    ),
)
"""Of the edges from versions to packages, which become equal to the registry's requirements."""
