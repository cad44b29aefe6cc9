"""Parsing of registries' documents: JSON models and times. XML: :mod:`.xml`.

A bad record affects only itself, in every document:

- unused fields may have any content (:func:`read_json`);
- a field of the wrong type counts as absent (:data:`OrNone`, :data:`Moment`);
- a bad entry of a collection is skipped, and logged once for its package (:data:`Entry`,
  :func:`log_skipped`);
- only an error in an essential part makes the whole document malformed.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from math import isfinite
from operator import or_
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ssc_ingest.errors import MalformedMetadata
from ssc_ingest.logs import get_logger

MAX_DEPTH = 100
"""Maximum nesting of a JSON document; deeper values count as ``null``. Used values have at most ten
levels."""

MAX_DIGITS = 4300
"""Maximum digits of a number in a JSON document; a longer one counts as ``null``. It is Python's
limit."""

MAX_VERSION_LENGTH = 256

log = get_logger(__name__)

_VERSION = re.compile(rf"(?!\.{{1,2}}$)[!-.0-?A-\[\]-~]{{1,{MAX_VERSION_LENGTH}}}")
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{\]}]', re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class WireModel(BaseModel):
    """Base of the models of documents. They have only used fields; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Replaces an entry of a collection that does not match its model."""

    field: str
    """The path of the wrong field; empty for the entry itself."""
    problem: str

    @property
    def reason(self) -> str:
        """The description of the error, with the field."""
        return ": ".join(filter(None, (self.field, self.problem)))


@dataclass(frozen=True, slots=True)
class _Otherwise:
    """Replaces a value that matches none of the annotated types."""

    make: Callable[[ValidationError], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        types = [each for each in get_args(source) if each not in (NoneType, Unreadable)]
        union = reduce(or_, types)
        return WrapValidator(self._validate).__get_pydantic_core_schema__(union, handler)

    def _validate(self, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            return self.make(error)


OrNone = Annotated[T | None, _Otherwise(lambda _: None)]
"""``OrNone[str]``: a text; ``None`` for ``null`` and everything else."""

Entry = Annotated[T | Unreadable, _Otherwise(lambda error: Unreadable(*_first_problem(error)))]
"""``tuple[Entry[Leaf], ...]``: leaves; each one that does not match is an :class:`Unreadable`."""


def parse_moment(value: object) -> datetime | None:
    """The time in an ISO 8601 text, in UTC; ``None`` for everything else.

    ``None`` also for a time that its time zone moves out of the years 1 to 9999.
    """
    try:
        return in_utc(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


Moment = Annotated[datetime | None, PlainValidator(parse_moment)]
"""A field with a time, parsed by :func:`parse_moment`."""


def is_version(text: str) -> bool:
    """Whether a text may be a version, in registries without a stricter rule.

    It has visible ASCII characters except ``@``, ``/`` and the backslash, so that it can be part of
    a purl and of a URL.
    """
    return _VERSION.fullmatch(text) is not None


def unreadable(entries: Iterable[object]) -> list[str]:
    """The positions of unreadable entries, with the reasons, for the log."""
    return [
        f"{'.'.join(filter(None, (str(place), entry.field)))}: {entry.problem}"
        for place, entry in enumerate(entries)
        if isinstance(entry, Unreadable)
    ]


def log_skipped(ecosystem: str, package: str, entries: Collection[str]) -> None:
    """Log the skipped entries of a package's documents, if there are any."""
    if entries:
        log.warning(
            "entries_skipped",
            ecosystem=ecosystem,
            package=package,
            entries=[entry[:200] for entry in list(entries)[:10]],
            count=len(entries),
        )


def read_json(model: type[ModelT], body: bytes, url: str, document: str = "") -> ModelT:
    """Read a JSON document.

    Raises:
        MalformedMetadata: the body is not JSON, or does not fit the model.
    """
    try:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            if error.errors(include_url=False)[0]["type"] != "json_invalid":
                raise
        return model.model_validate_json(_repaired(body))
    except ValidationError as error:
        raise malformed(error, url, document) from error
    except (ValueError, RecursionError) as error:
        reason = f"{document or 'document'} is not JSON: {error}"
        raise MalformedMetadata(reason[:300], url=url) from error


def load_json(body: bytes, *, document: str) -> Any:
    """The value of a JSON document of which a store keeps more than this program reads.

    Texts are valid Unicode, numbers are finite and fit into 64 bits, and nothing is nested deeper
    than :data:`MAX_DEPTH`: other values count as ``null``.

    Raises:
        MalformedMetadata: the body is not JSON.
    """
    try:
        text = body.decode("utf-8-sig", errors="replace")
        if "\\u" in text:
            text = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text)
        if text.count("[") + text.count("{") > MAX_DEPTH:
            text = _shallow(text)
        return json.loads(
            text,
            strict=False,
            parse_int=_int64,
            parse_float=_finite,
            parse_constant=lambda _: None,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedMetadata(f"{document} is not JSON: {error}"[:300]) from error


def _int64(digits: str) -> int | None:
    value = int(digits) if len(digits) < 20 else None  # noqa: PLR2004 - the largest has 19 digits
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _finite(digits: str) -> float | None:
    return value if isfinite(value := float(digits)) else None


def _repaired(body: bytes) -> bytes:
    """Remove everything that strict parsers reject.

    These are bytes that are not UTF-8, halves of surrogate pairs, control characters in texts, and
    values beyond :data:`MAX_DEPTH` or :data:`MAX_DIGITS`.

    Raises:
        ValueError: the body is not JSON.
    """
    text = body.decode("utf-8-sig", errors="replace")
    text = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text)
    value = json.loads(
        _shallow(text),
        strict=False,
        parse_int=lambda digits: int(digits) if len(digits) <= MAX_DIGITS else None,
        parse_constant=lambda _: None,
    )
    return json.dumps(value).encode()


def _shallow(text: str) -> str:
    """The JSON text with ``null`` instead of values that are nested too deeply."""
    parts: list[str] = []
    start = depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in {"[", "{"}:
            depth += 1
            if depth == MAX_DEPTH + 1:
                parts += text[start : match.start()], "null"
        elif token in {"]", "}"}:
            if depth == MAX_DEPTH + 1:
                start = match.end()
            depth -= 1
    return "".join([*parts, text[start:]]) if parts else text


def malformed(error: ValidationError, url: str, document: str = "") -> MalformedMetadata:
    """The error for a document that does not match its model: its first problem, with the field."""
    return MalformedMetadata(": ".join(filter(None, (document, *_first_problem(error)))), url=url)


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """The path of the field, with the problem."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"]


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; a moment without a time zone is in UTC already.

    Raises:
        OverflowError: the time zone moves the moment out of the years 1 to 9999.
    """
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
