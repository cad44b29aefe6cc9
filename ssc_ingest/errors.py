"""Every error this program raises on purpose, and what each one means for the work.

.. code-block:: text

    IngestError
    ├── RegistryError(url)              something is wrong between us and a registry
    │   ├── ResourceNotFound            404, 410, 451: the document is gone
    │   ├── RangeNotSatisfiable         416: the document is shorter than it was
    │   ├── PackageNotFound             the registry does not have this package
    │   │   └── PackageGone             ... but it had: the graph has the package
    │   ├── RateLimited(retry_after)    wait, without using up an attempt
    │   │   ├── RegistryOverloaded      ... because of a 503, which may be this document's own
    │   │   └── RegistryPaused          ... for as long as an operator says
    │   ├── RegistryUnavailable         5xx, time-out, broken connection: try again later
    │   │   ├── StaleAnswer             older than what the registry's feed has announced
    │   │   └── InconsistentAnswers     one is older than another that speaks of it
    │   ├── CursorExpired               only the whole listing can tell what has changed
    │   ├── ResponseTooLarge            above the cap: a retry cannot help
    │   └── MalformedMetadata           not what the registry's specification says
    ├── InvalidArguments                the caller's mistake
    │   ├── UnknownEcosystem
    │   ├── InvalidName
    │   └── InvalidPurl(suggestion)
    ├── ParentNotFound(parent_id)       the node that an edge should start from is not in the graph
    ├── StoreUnavailable(store)         wait for the store, without using up an attempt
    ├── GraphRefused                    the graph rejected this package's rows (a client error)
    │   └── ParentRefused               ... because of the parent that the caller named
    ├── DeadlineExceeded(progressed)    reading took too long; what was read is cached
    └── ConfigurationError(setting)     the process refuses to start

Anything else is a bug: it is logged with its traceback and ends in the dead letters.
What a worker does with each is one pure table, :mod:`ssc_ingest.work.retry`.
"""

from typing import ClassVar


class IngestError(Exception):
    """The root of all errors raised on purpose; the text is written for the person who reads it."""

    blames_package: ClassVar[bool] = True
    """Whether a permanent failure says something about the package, which then rests for a while
    before a staleness run reads it again. A mistake of the caller does not."""


class RegistryError(IngestError):
    """A registry's answer cannot be used. ``url`` is the request that failed."""

    def __init__(self, message: str, *, url: str | None = None) -> None:
        super().__init__(message)
        self.url = url


class ResourceNotFound(RegistryError):
    """The registry says that this document does not exist (404, 410 or 451)."""


class RangeNotSatisfiable(RegistryError):
    """The document does not have the part that was asked for (416)."""


class PackageNotFound(RegistryError):
    """The registry does not have this package."""

    blames_package = False

    def __init__(self, purl: str, *, url: str | None = None) -> None:
        super().__init__(f"the registry does not have {purl}", url=url)
        self.purl = purl


class PackageGone(PackageNotFound):
    """The registry does not have this package any more; what the graph has of it stays."""


class RateLimited(RegistryError):
    """The host wants us to wait ``retry_after`` seconds, or our own limit does."""

    def __init__(self, message: str, *, retry_after: float, url: str | None = None) -> None:
        super().__init__(message, url=url)
        self.retry_after = retry_after


class RegistryOverloaded(RateLimited):
    """The host answers 503: it has too much to do, or this one document is broken."""


class RegistryPaused(RateLimited):
    """An operator lets nobody ask this registry for now; ``retry_after`` is when to look again."""


class RegistryUnavailable(RegistryError):
    """The registry did not answer properly: 5xx, time-out, reset or truncated answer."""

    def __init__(self, message: str, *, url: str | None = None, status: int | None = None) -> None:
        super().__init__(message, url=url)
        self.status = status


class StaleAnswer(RegistryUnavailable):
    """The answer is older than what the registry's own feed has announced: a cache lags behind."""


class InconsistentAnswers(RegistryUnavailable):
    """Documents that do not belong together: one was replaced while, or before, another was read.

    Only reading all of them anew can help.
    """


class CursorExpired(RegistryError):
    """The feed or listing cannot be followed from this cursor; begin with the whole listing."""


class ResponseTooLarge(RegistryError):
    """The answer is larger than the cap for this kind of document."""


class MalformedMetadata(RegistryError):
    """The document is not what the registry's specification says."""


class InvalidArguments(IngestError):
    """The caller's arguments do not make sense; no retry can help."""

    blames_package = False


class UnknownEcosystem(InvalidArguments):
    """No ecosystem of that name."""


class InvalidName(InvalidArguments):
    """The text cannot be a package name of this ecosystem."""


class InvalidPurl(InvalidArguments):
    """The text is not a package URL that we understand. ``suggestion`` is the nearest valid one."""

    def __init__(self, message: str, *, suggestion: str | None = None) -> None:
        text = f"{message}; did you mean {suggestion}?" if suggestion else message
        super().__init__(text)
        self.suggestion = suggestion


class ParentNotFound(IngestError):
    """The node that the requirement edge should start from is not in the graph."""

    blames_package = False

    def __init__(self, parent_id: str) -> None:
        super().__init__(
            f"no Version or RequirementFile with elementId {parent_id!r} in the graph: "
            "send the parent first, or leave parent_id out"
        )
        self.parent_id = parent_id


class StoreUnavailable(IngestError):
    """A store (graph, redis, vulnerabilities) does not answer."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"the {store} store does not answer: {reason}")
        self.store = store


class GraphRefused(IngestError):
    """The graph rejected this package's rows; the same rows would be rejected again."""


class ParentRefused(GraphRefused):
    """The package may not hang under the parent that its caller named."""

    blames_package = False


class DeadlineExceeded(IngestError):
    """Reading took longer than one execution may; ``progressed``: the next one reads less."""

    def __init__(self, message: str, *, progressed: bool) -> None:
        super().__init__(message)
        self.progressed = progressed


class ConfigurationError(IngestError):
    """The process cannot start like this. The text names the setting and the remedy."""
