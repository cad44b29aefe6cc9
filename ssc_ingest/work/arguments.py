"""The arguments of the public tasks, and their validation.

Other services call the tasks by name, so unknown keywords are only logged. A missing argument or a
wrong type is an error that names the field.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.logs import get_logger

MAX_NAME_LENGTH = 512
"""Maximum characters of a name, above the limits of all registries, which the ecosystems check."""

MAX_NAMES = 1000
"""Packages of one ``vulnerabilities.attribute``."""

log = get_logger(__name__)

Dependencies = Literal["all", "latest", "none"]


class Arguments(BaseModel):
    """Base of all task arguments."""

    # Deferred: building the validators of all tasks takes a twentieth of the start of a command.
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,
        strict=True,
        defer_build=True,
    )

    @classmethod
    def parse(cls, keywords: Mapping[str, Any]) -> Self:
        """Validate the keywords of a call, among which ``args`` are its positional arguments.

        Raises:
            InvalidArguments: the text names every invalid field.
        """
        if "args" in keywords:
            fields = cls.model_fields
            needed = [name for name, field in fields.items() if field.is_required()]
            example = ", ".join(f"{name}=..." for name in needed or fields)
            raise InvalidArguments(f"the arguments are keywords: {example}")
        try:
            return cls.model_validate(dict(keywords))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
                for problem in error.errors()
            )
            raise InvalidArguments(problems) from error

    @classmethod
    def log_unknown(cls, keywords: Mapping[str, Any]) -> None:
        """Log the keywords that the task does not know."""
        if unknown := sorted(keywords.keys() - cls.model_fields.keys()):
            log.warning("unknown_arguments", names=unknown)


class Origin(BaseModel):
    """The stream message that requested the task; failures are reported to its stream."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    stream: str
    data: str
    """The raw message, unchanged."""
    entry: str = ""
    """The id of the message's entry: of two messages about one edge, the later one counts."""


class ExtractPackage(Arguments):
    """Arguments of ``extraction.extract_package``."""

    ecosystem: str
    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    refresh: bool = False
    """Read the registry even if the graph has the package."""
    dependencies: Dependencies = "latest"
    """The versions whose requirements are followed: all, the latest one, or none."""
    job_id: str | None = Field(None, max_length=100)
    parent_id: str | None = None
    """elementId of a Version or RequirementFile that requires this package."""
    parent_version: str | None = None
    """Accepted for compatibility; the edge is written from ``parent_id`` alone."""
    constraints: str | None = None
    """The range on the edge from ``parent_id``."""
    origin: Origin | None = None
    fills: str | None = Field(None, max_length=100)
    """The job that this package is a direct requirement of, beyond its budget; jobs set it."""
    run_id: str | None = Field(None, max_length=100)
    """The run that counts the outcome."""
    sequence: int = 0
    """Number of the run's message for this package: a later one replaces an earlier one."""
    versions_to_fill: int = Field(0, ge=0, le=1000)
    """Maximum number of versions without facts that are read again, if each has a document of its
    own; runs set it."""
    links: list[str] | None = Field(None, max_length=5)
    """The listing's or feed's hints about the package; runs set it."""
    expected: str | None = Field(None, max_length=2000)
    """The feed's statement about the package; see ``Ecosystem.fetch``."""

    @property
    def hints(self) -> tuple[str, ...] | None:
        """The ``links`` in the form of a ``FetchRequest``."""
        return None if self.links is None else tuple(self.links)

    def keywords(self) -> dict[str, Any]:
        """The arguments as keywords, without defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ExtractImportNames(Arguments):
    """Arguments of ``import_names.extract``."""

    ecosystem: str
    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    version: str | None = Field(None, min_length=1, max_length=MAX_NAME_LENGTH)
    """By default the latest version that the graph has."""
    refresh: bool = False
    """Read the names even if the graph or the cache has them."""
    timeout: float | None = Field(None, gt=0, le=60)
    """Seconds for reading them; by default ``IMPORT_NAMES_TIMEOUT``."""
    run_id: str | None = Field(None, max_length=100)
    """The backfill that counts the outcome."""
    sequence: int = 0
    """Number of the run's message for this package."""

    def keywords(self) -> dict[str, Any]:
        """The arguments as keywords, without defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)


class AttributePackages(Arguments):
    """Arguments of ``vulnerabilities.attribute``."""

    ecosystem: str
    names: list[Annotated[str, Field(max_length=MAX_NAME_LENGTH)]] = Field(
        min_length=1, max_length=MAX_NAMES
    )
    """Packages, in any spelling that the registry accepts."""


class AuditAttribution(Arguments):
    """Arguments of ``vulnerabilities.audit``."""

    packages: int = Field(1000, ge=1, le=1_000_000)
    """How many to examine."""


class UpdateRegistry(Arguments):
    """Arguments of ``updates.update``."""

    ecosystem: str
    run_id: str | None = Field(None, max_length=100)
    """A run to continue."""


class IngestRegistry(UpdateRegistry):
    """Arguments of ``ingestion.ingest``."""

    limit: int | None = Field(None, ge=1)
    """Maximum number of packages to add."""


class BackfillImportNames(UpdateRegistry):
    """Arguments of ``import_names.backfill``."""

    limit: int = Field(100, ge=0)
    """Maximum number of packages; 0: all."""
    concurrency: int = Field(10, ge=1, le=1000)
    """Maximum number of packages that are queued or in progress at once."""
    timeout: float = Field(30, gt=0, le=60)
    """Seconds for reading the names of one package."""
    missing_only: bool = False
    """Only packages whose names are a guess; by default also those of an older version."""
    refresh: bool = False
    """All packages, also those whose names are of the latest version."""


class ProcessStream(Arguments):
    """Arguments of ``stream.process``."""

    batch: int = Field(100, ge=1, le=10_000)
    """Maximum number of messages of each stream."""
    block_ms: int = Field(1000, ge=0, le=30_000)
    """Milliseconds to wait for the first message; 0: do not wait."""


class SyncVulnerabilities(Arguments):
    """Arguments of ``vulnerabilities.sync``."""

    ecosystem: str | None = None
    """All ecosystems if none is given."""
    full: bool = False
    """Compare all records, also those that the source does not report as changed."""


class ReplayDeadLetters(Arguments):
    """Arguments of ``dead_letters.replay``: some ids, or a filter."""

    ids: list[str] = Field(default_factory=list)
    ecosystem: str | None = None
    error_type: str | None = None
    job_id: str | None = None
    run_id: str | None = None
    all: bool = False
    since: int | None = None
    """A filter ignores dead letters before this time: milliseconds since 1970, by the clock of
    their ids."""
    until: int | None = None
    """A filter ignores dead letters after this time: milliseconds since 1970, by the clock of their
    ids. By default, the time when the call is first read."""
