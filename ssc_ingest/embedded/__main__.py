"""Run the embedded servers alone, until Ctrl-C: ``python -m ssc_ingest.embedded``."""

import signal
import sys
import time

from rich.console import Console

from ssc_ingest.embedded import EmbeddedStack, progress_for
from ssc_ingest.errors import IngestError
from ssc_ingest.settings import load_settings

INTERVAL = 0.5  # seconds


def main() -> int:
    """Start the servers, wait for a signal, stop them; returns the exit code."""
    console = Console(stderr=True)

    def warn(text: str) -> None:
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with EmbeddedStack(load_settings(), tell=warn) as stack:
            stack.start(progress_for(console))
            while not (failure := stack.failed()):
                time.sleep(INTERVAL)
            raise failure
    except KeyboardInterrupt:
        return 0
    except IngestError as error:
        console.print(error, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
