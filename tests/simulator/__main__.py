"""``python -m tests.simulator --packages 1000 --seed 7``."""

import asyncio
import sys

from tests.simulator.options import Options
from tests.simulator.server import serve


def main() -> None:
    """Serve until a stop signal."""
    options, tied = Options.from_arguments()
    if sys.platform == "win32":
        run = asyncio.run
    else:
        import uvloop  # noqa: PLC0415 (not made for Windows)

        run = uvloop.run
    try:
        run(serve(options, until_stdin_closes=tied))
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error}")


if __name__ == "__main__":
    main()
