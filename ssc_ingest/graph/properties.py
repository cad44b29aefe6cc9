"""All properties of packages, versions and requirements: one table for each.

The statements, rows, differences, stubs, the migration, and the tables of ``docs/data-model.md``
(``make docs``) are computed from these tables. A new property is a field of
:mod:`ssc_ingest.models`, set by the registries, and a row here. To show it, add a field of the same
name to the view in :mod:`.views`, and print that in :mod:`ssc_ingest.cli.package_report`.
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
    """An attribute of the reference, if it has the registry's spelling."""

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
        "key of the readers' look-ups: the registry's name in lower case. A stub's is "
        "provisional, in the requirement's spelling",
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
        "owner of the repository or scope, `n/a` if unknown",
        default=NOT_AVAILABLE,
    ),
    Property("repository_url", STRING, Update.KEEP, "`n/a` if unknown", default=NOT_AVAILABLE),
    Property(
        "import_names",
        STRINGS,
        Update.KEEP,
        "[names that source code imports](import-names.md), the top-level names first",
        default=[],
    ),
    Property(
        "import_names_from",
        STRING,
        Update.FOLLOW,
        "the version that `import_names` were read from; absent if they are a guess, or from a "
        "migrated graph",
        source=lambda package: package.latest if package.import_names else None,
        read_with="import_names",
    ),
    Property("moment", MOMENT, Update.WRITER, "time of the last request to the registry"),
    Property(
        "latest",
        STRING,
        Update.FOLLOW,
        "the version that a plain install selects: the highest stable one that is not yanked",
    ),
    Property("dist_tags", STRING, Update.FOLLOW, "npm only: JSON object of versions by tag"),
    Property(
        "group_id",
        STRING,
        Update.WRITER,
        "Maven only: the group, in the registry's spelling",
        default=...,
    ),
    Property("artifact_id", STRING, Update.WRITER, "Maven only: the artifact", default=...),
    Property(
        "etag",
        STRING,
        Update.FOLLOW,
        "the validator of the document from which the package was read",
    ),
    Property(
        "versions_without_facts",
        INTEGER,
        Update.WRITER,
        "number of versions from earlier releases whose [facts](#which-facts-are-known) must "
        "still be read; absent if 0",
    ),
    Property(
        "gone_since",
        MOMENT,
        Update.WRITER,
        "time when the registry was first found to lack the package; absent on all others",
    ),
)
"""Properties of packages. ``PackageRef.properties`` (``group_id`` and ``artifact_id``) are written
unchanged, also on stubs."""


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
        "the version in the registry's spelling; NuGet's in normalised form (`1.0` is `1.0.0`)",
        default=...,
    ),
    Property(
        "serial_number",
        INTEGER,
        Update.WRITER,
        "0 … n-1 in the ecosystem's order, including prereleases and yanked versions; "
        "unparsable ones come first. Renumbered in the transaction that adds versions",
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
        "mean of the CVSS 3 scores of its advisories, `sum(s)/n`, [one per flaw]"
        "(vulnerabilities.md#scores); 0.0 without any",
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
        "withdrawn by its publisher; NuGet: unlisted",
        default=False,
    ),
    Property(
        "requirements_digest",
        STRING,
        Update.WRITER,
        "fingerprint of the registry's requirements, so that unchanged ones are not compared "
        "edge by edge: 18 hexadecimal digits; the first two are the "
        "[format](#which-facts-are-known)",
    ),
    Property(
        "requirements_unknown",
        FLAG,
        Update.WRITER,
        "`true` if the registry has no readable, complete list of the requirements: there may "
        "be more than the edges. Absent if they are known",
        default=False,
    ),
    _fact("requires_python", STRING, "PyPI: supported Python versions, PEP 440"),
    _fact(
        "engines",
        STRING,
        "npm, RubyGems: JSON object of the runtimes' ranges by name; for gems `ruby` and "
        "`rubygems`",
    ),
    _fact("os", STRINGS, "npm: supported operating systems; `!name` means all except `name`"),
    _fact("cpu", STRINGS, "npm: supported processors, in the same form as `os`"),
    Property(
        "license",
        STRING,
        Update.KEEP,
        "the registry's text about the licence, at most 200 characters",
    ),
    Property(
        "license_spdx",
        STRING,
        Update.FOLLOW,
        "the licence as an SPDX expression, if the text is one",
        read_with="license",
    ),
    Property(
        "deprecated",
        STRING,
        Update.FOLLOW,
        "the publisher's deprecation note, at most 1,000 characters",
        read_with="requirements_digest",
        empty_is_none=True,
    ),
    _fact(
        "features",
        TABLE,
        "Cargo: JSON object with the features and dependencies that each feature enables",
    ),
    _fact("extra_requirements", TABLE, "PyPI: JSON object of each extra's requirements"),
    _fact(
        "peer_requirements",
        TABLE,
        'npm: JSON object of the packages that its user must install: `{name: {"range": …}}`, '
        'with `"optional": true` if one may be missing',
    ),
    _fact(
        "frameworks",
        TABLE,
        "NuGet: JSON list of the target frameworks with [groups of "
        "requirements](#target-frameworks); absent if one group applies to all",
    ),
    _fact(
        "builds",
        TABLE,
        "RubyGems: JSON object of the [builds](#builds-of-gems) by platform; absent if all are "
        "equal to the pure Ruby build",
    ),
    Property(
        "import_names",
        LIST,
        Update.SEPARATE,
        "the version's own [import names](import-names.md#names-of-a-version), read on request; "
        "empty if nothing can be imported, absent if they were not read",
    ),
)
"""Properties of versions."""

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
        "`build` (crates.io), `runtime` or `relocation` (Maven: the version only points to that "
        "package); absent on a plain requirement",
    ),
    Property(
        "optional",
        FLAG,
        Update.FOLLOW,
        "`true` if an install can succeed without it",
        default=False,
    ),
    Property(
        "declared",
        STRING,
        Update.FOLLOW,
        "JSON list of the [declarations](#declarations), if the other properties do not express "
        "all of it",
    ),
    Property(
        "parent_version_name",
        STRING,
        Update.WRITER,
        "purl of the package that owns the version; absent on an edge from a `RequirementFile`",
    ),
)
"""Properties of the edges from versions to packages, which follow the registry's requirements."""
