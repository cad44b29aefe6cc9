"""Names of a package whose sources cannot be parsed: those that are known without them."""

from collections.abc import Mapping
from typing import Any

from ssc_ingest.logs import get_logger
from ssc_ingest.source_code.isolated import ParserFailed, parse_isolated

log = get_logger(__name__)


async def parse_or_keep(
    language: str,
    options: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    known: frozenset[str],
    package: Mapping[str, str],
) -> frozenset[str]:
    """The known names and those that the files define; if parsing fails, the known ones alone.

    Args:
        language: ``rust`` or ``ruby``.
        options: passed to the language's ``names`` function.
        files: contents by path.
        known: names that need no parsing, so that no source can hide them.
        package: fields of the log line about a failure.
    """
    try:
        return known | await parse_isolated(language, options, files)
    except ParserFailed as error:
        log.warning("import_names_incomplete", reason=str(error), **package)
        return known
