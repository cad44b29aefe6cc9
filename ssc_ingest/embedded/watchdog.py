"""A process that kills its process group when its parent ends. Run as a script, never imported.

It leads the group, so that every child starts in the group and is tied to it from its first
moment. It checks its own parent instead of a pipe (whose other end would live on in a forked copy
of the parent) or Linux's ``PR_SET_PDEATHSIG``
(which follows the parent's thread, spares grandchildren and does not exist on macOS).
"""

import os
import signal
import sys
import time

INTERVAL = 0.25  # seconds


def main() -> None:
    """Wait until the parent has ended, then kill the group."""
    parent = int(sys.argv[1])
    for asked_to_end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked_to_end, signal.SIG_IGN)
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os.killpg(0, signal.SIGKILL)  # this process included


if __name__ == "__main__":
    main()
