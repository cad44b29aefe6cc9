"""The composition root: the clients of one event loop, and the services that use them.

Only entry points import it: workers, the command line, benchmarks. Other constructors take only the
services that they use. A command that uses only Redis imports :mod:`.state`, without the clients of
the registries and the graph, which take a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssc_ingest.resources.process import Resources, Step, open_attributor, open_resources
    from ssc_ingest.resources.state import State, open_state

__all__ = ["Resources", "State", "Step", "open_attributor", "open_resources", "open_state"]


def __getattr__(name: str) -> Any:
    """Import a name of :data:`__all__` when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "state" if name in {"State", "open_state"} else "process"
    return getattr(import_module(f"{__name__}.{room}"), name)
