"""Which package gets a lower-case name, in registries that distinguish upper and lower case.

The graph's readers look packages up by a lower-case name. It belongs to the package that is
spelled like that in the registry. A package with capitals gets it only if the registry has no
such twin; otherwise it keeps its own spelling. Of several with capitals, the graph's writer gives
it to one (``ssc_ingest.graph.transaction``).
"""

from collections.abc import Awaitable, Callable

from ssc_ingest.errors import PackageNotFound


async def graph_name(name: str, read: Callable[[str], Awaitable[object]]) -> str:
    """The graph's name for the package that the registry calls ``name``.

    ``read`` reads the package of a name. It is called, for one request, if ``name`` has capitals.

    Raises:
        The errors of ``read`` but for :class:`PackageNotFound`, which means that there is no twin.
    """
    lower = name.lower()
    if lower == name:
        return lower
    try:
        await read(lower)
    except PackageNotFound:
        return lower
    return name
