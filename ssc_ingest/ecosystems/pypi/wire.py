"""One text for every way in which a JSON document can be wrong."""

from pydantic import ValidationError

from ssc_ingest.errors import MalformedMetadata


def malformed(error: ValidationError, url: str) -> MalformedMetadata:
    """The first thing that is wrong with a document, with the field's path."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(map(str, first["loc"]))
    return MalformedMetadata(f"{path}: {first['msg']}" if path else first["msg"], url=url)
