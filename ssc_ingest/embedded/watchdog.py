"""The process that ends a process group when its parent is gone. Run as a script, never imported.

It is the leader of the group, so that every child can be born into the group: no moment exists
at which a child is running and not yet tied. It looks at its own parent instead of a pipe (a
pipe's other end would live on in a forked copy of the parent) or Linux's ``PR_SET_PDEATHSIG``
(which follows the parent's thread, spares grandchildren and does not exist on macOS).
"""

import os
import signal
import sys
import time

INTERVAL = 0.25  # seconds


def main() -> None:
    """Wait until the process that started this one is gone, then kill the group."""
    parent = int(sys.argv[1])
    for asked_to_end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked_to_end, signal.SIG_IGN)
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os.killpg(0, signal.SIGKILL)  # this process included


if __name__ == "__main__":
    main()
