"""How ``make test`` gives the files of tests to its processes.

Tests of the first files wait for servers, workers and pauses, those of the last ones compute. If
all processes began with the first file, the cores would be idle in the first half of the time, and
more than busy in the second.
"""

from typing import Any

from xdist.scheduler import LoadFileScheduling


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """One process begins with the last file and goes backwards; the others begin with the first."""

    def _assign_work_unit(self, node: Any) -> None:
        if node is self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
