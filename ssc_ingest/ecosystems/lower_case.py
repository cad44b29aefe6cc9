"""Assigns lower-case names in registries that distinguish upper and lower case.

The graph's readers look packages up by a lower-case name. It belongs to the package with that
spelling in the registry. A package with capitals gets it only if the registry has no such package;
otherwise it keeps its own spelling. If several packages differ only in capitals, the graph's writer
gives the name to one of them (``ssc_ingest.graph.transaction``).
"""

from collections.abc import Awaitable, Callable

from ssc_ingest.errors import PackageNotFound


async def graph_name(name: str, read: Callable[[str], Awaitable[object]]) -> str:
    """The graph's name for the package that the registry calls ``name``.

    ``read`` reads the package of a name, in one request. It is called if ``name`` has capitals.

    Raises:
        Exception: the errors of ``read``, except :class:`PackageNotFound`.
    """
    lower = name.lower()
    if lower == name:
        return lower
    try:
        await read(lower)
    except PackageNotFound:
        return lower
    return name
