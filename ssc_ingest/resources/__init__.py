"""The composition root: the clients of one event loop, and the services that use them.

Only entry points import it: workers, the command line, benchmarks. Other constructors take only the
services that they use.
"""

from ssc_ingest.resources.process import Resources, Step, open_attributor, open_resources
from ssc_ingest.resources.state import State, open_state

__all__ = ["Resources", "State", "Step", "open_attributor", "open_resources", "open_state"]
