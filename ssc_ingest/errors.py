"""The errors that decide what happens to a task, and their consequences.

Errors that stay inside one room, like a lost lease, are defined there.

.. code-block:: text

    IngestError
    ├── RegistryError(url)              a request to a registry failed
    │   ├── ResourceNotFound            404, 410, 451: the document is gone
    │   ├── ResourceForbidden           403: the host refuses this document, perhaps not others
    │   ├── RangeNotSatisfiable         416: the document is shorter than it was
    │   ├── PackageNotFound             the registry does not have this package
    │   │   └── PackageGone             ... any more, but the graph has it
    │   ├── RateLimited(retry_after)    wait, without using up an attempt
    │   │   ├── AwaitsTurn              ... because our rate limit for the host is reached
    │   │   ├── RegistryUnreachable     ... because no connection to the host succeeds
    │   │   ├── RegistryOverloaded      ... because of a 503; the host is paused
    │   │   │   └── DocumentOverloaded  ... for this document only, as far as is known
    │   │   └── RegistryPaused          ... until an operator resumes the registry
    │   ├── RegistryUnavailable         5xx, time-out, broken connection: retry later
    │   │   ├── DigestMismatch          the content differs from the announced digest
    │   │   ├── StaleAnswer             older than the change that the feed announced
    │   │   └── InconsistentAnswers     a document is older than the one that refers to it
    │   ├── CursorExpired               only the whole listing shows what has changed
    │   ├── ResponseTooLarge            above the cap: a retry cannot help
    │   │   └── ArchiveTooLarge         ... in an archive: members, their sizes, their ratio
    │   └── MalformedMetadata           violates the registry's specification
    │       └── MalformedArchive        ... of archives: damaged, encrypted, contradictory
    ├── InvalidArguments                the caller's mistake
    │   ├── UnknownEcosystem
    │   ├── InvalidName
    │   ├── InvalidPurl(suggestion)
    │   └── InvalidMessage(counter)     an entry of another service's stream
    ├── ParentNotFound(parent_id)       the start node of an edge is not in the graph
    ├── StoreUnavailable(store)         wait for the store, without using up an attempt
    ├── GraphRefused                    the graph rejected this package's rows (a client error)
    │   └── ParentRefused               ... because of the caller's parent
    ├── DeadlineExceeded(progressed)    reading took too long; the checkpoint is stored
    ├── BudgetExhausted                 the job's requests are used up: the package is left over
    └── ConfigurationError(setting)     the process refuses to start
        ├── ServersStarting             ... for the moment: our own servers start or stop
        └── StoreRefusesAccess          ... also a StoreUnavailable: running workers wait

Anything else is a bug: it is logged with its traceback and becomes a dead letter.
:mod:`ssc_ingest.work.retry` decides how a worker handles each.
"""

from typing import ClassVar


class IngestError(Exception):
    """Root of the errors that are not bugs; the text is for people."""

    blames_package: ClassVar[bool] = True
    """Whether a permanent failure starts a cooldown of the package; false for a caller's
    mistake."""


class RegistryError(IngestError):
    """A registry's response cannot be used. ``url`` is the request that failed."""

    def __init__(self, message: str, *, url: str | None = None) -> None:
        super().__init__(message)
        self.url = url


class ResourceNotFound(RegistryError):
    """The registry says that this document does not exist (404, 410 or 451)."""


class ResourceForbidden(RegistryError):
    """The host refuses this document (403); the document may or may not exist."""


class RangeNotSatisfiable(RegistryError):
    """The document does not have the requested range (416)."""


class PackageNotFound(RegistryError):
    """The registry does not have this package."""

    blames_package = False

    def __init__(self, purl: str, *, url: str | None = None) -> None:
        super().__init__(f"the registry does not have {purl}", url=url)
        self.purl = purl


class PackageGone(PackageNotFound):
    """The registry no longer has this package; the graph keeps it."""


class RateLimited(RegistryError):
    """The host, or our own limit, requires a wait of ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float, url: str | None = None) -> None:
        super().__init__(message, url=url)
        self.retry_after = retry_after


class AwaitsTurn(RateLimited):
    """Our rate limit for the host is reached; the host itself works."""


class RegistryUnreachable(RateLimited):
    """The host is unreachable for all requests: refused, unknown name, TLS, time-outs."""


class RegistryOverloaded(RateLimited):
    """The host responds with 503: it is overloaded, or this one document is broken."""


class DocumentOverloaded(RegistryOverloaded):
    """A 503 that did not pause the host, because most of its other documents are read."""


class RegistryPaused(RateLimited):
    """An operator has paused this registry; check again after ``retry_after`` seconds."""


class RegistryUnavailable(RegistryError):
    """The registry failed to respond: 5xx, time-out, reset connection or truncated response."""

    def __init__(self, message: str, *, url: str | None = None, status: int | None = None) -> None:
        super().__init__(message, url=url)
        self.status = status


class DigestMismatch(RegistryUnavailable):
    """The content does not have the digest that the registry announced."""


class StaleAnswer(RegistryUnavailable):
    """The response is older than the change that the registry's feed announced: a cache lags."""


class InconsistentAnswers(RegistryUnavailable):
    """The documents are of different versions: one was replaced while another was read.

    All of them have to be read again.
    """


class CursorExpired(RegistryError):
    """The feed or listing cannot continue from this cursor; read the whole listing."""


class ResponseTooLarge(RegistryError):
    """The response is larger than the limit for this kind of document."""


class ArchiveTooLarge(ResponseTooLarge):
    """The archive exceeds a limit of members, size or compression ratio."""


class MalformedMetadata(RegistryError):
    """The document violates the registry's specification."""


class MalformedArchive(MalformedMetadata):
    """The archive is damaged, encrypted, inconsistent, or has an unexpected format."""


class InvalidArguments(IngestError):
    """The caller's arguments are invalid; no retry can help."""

    blames_package = False


class UnknownEcosystem(InvalidArguments):
    """No ecosystem has this name."""


class InvalidName(InvalidArguments):
    """The text cannot be a package name of this ecosystem."""


class InvalidPurl(InvalidArguments):
    """The text is not a supported package URL. ``suggestion`` is the nearest valid one."""

    def __init__(self, message: str, *, suggestion: str | None = None) -> None:
        text = f"{message}; did you mean {suggestion}?" if suggestion else message
        super().__init__(text)
        self.suggestion = suggestion


class InvalidMessage(InvalidArguments):
    """An entry of a stream requests nothing that can be done.

    ``counter`` is the metric that counts it: ``validation_errors`` or ``unsupported_types``.
    """

    def __init__(self, message: str, *, counter: str = "validation_errors") -> None:
        super().__init__(message)
        self.counter = counter


class ParentNotFound(IngestError):
    """The start node of the requirement edge is not in the graph."""

    blames_package = False

    def __init__(self, parent_id: str) -> None:
        super().__init__(
            f"no Version or RequirementFile with elementId {parent_id!r} in the graph: "
            "send the parent first, or leave parent_id out"
        )
        self.parent_id = parent_id


class StoreUnavailable(IngestError):
    """A store (graph, redis, vulnerabilities) does not respond."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"the {store} store does not respond: {reason}")
        self.store = store


class GraphRefused(IngestError):
    """The graph rejected this package's rows; the same rows would be rejected again."""


class ParentRefused(GraphRefused):
    """The caller's parent may not require the package."""

    blames_package = False


class DeadlineExceeded(IngestError):
    """Reading exceeded the time limit; ``progressed``: the next execution has less to read."""

    def __init__(self, message: str, *, progressed: bool) -> None:
        super().__init__(message)
        self.progressed = progressed


class BudgetExhausted(IngestError):
    """The job may send no more requests, so the package is left over."""

    blames_package = False


class ConfigurationError(IngestError):
    """The process cannot start. The text names the setting and the remedy."""


class ServersStarting(ConfigurationError):
    """The servers of ``ssc-ingest up`` have no addresses yet, or no longer: try again."""


class StoreRefusesAccess(StoreUnavailable, ConfigurationError):
    """A store rejects our credentials, or grants too few rights.

    A process that needs the store refuses to start. A running worker waits as for a store that is
    down: an operator changes the password, and no work is to become a dead letter meanwhile.
    """

    def __init__(self, store: str, reason: str, remedy: str) -> None:
        IngestError.__init__(self, f"the {store} store refuses access: {reason}; {remedy}")
        self.store = store
        self.reason = reason
        self.remedy = remedy
