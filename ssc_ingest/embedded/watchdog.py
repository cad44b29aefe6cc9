"""A process that kills its process group when its parent ends. Run as a script, never imported.

It leads the group, so that every child belongs to the group from its start. It polls its parent's
process id. A pipe would not work, because a forked copy of the parent would hold the other end.
Linux's ``PR_SET_PDEATHSIG`` follows the parent's thread, spares grandchildren and does not exist on
macOS.
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
