"""The pictures of docs/operations.md: the overview page of a running fleet, as it is.

.. code-block:: sh

    make run                                                 # and in a second terminal:
    .venv/bin/ssc-ingest extract pkg:npm/no-such-package-1   # a dead letter
    SSC_CHROMIUM=$(scripts/browser FOLDER) .venv/bin/python -m scripts.pictures
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.integration.test_web.chromium import browser, program

DOCS = Path(__file__).parents[1] / "docs"

PICTURES = (
    ("overview-light.png", "/", 1280, 1180, False),
    ("overview-narrow-dark.png", "/", 400, 860, True),
    ("dead-letters.png", "/dead-letters", 1280, 480, False),
)
"""File, page, width and height in pixels, and whether the colours are dark."""


async def photograph(url: str, folder: Path) -> None:
    """Write all pictures to a folder."""
    with tempfile.TemporaryDirectory() as profile:
        async with browser(Path(profile), program()) as tab:
            for name, page, width, height, dark in PICTURES:
                await tab.look(width=width, height=height, dark=dark)
                await tab.open(url + page)
                await tab.wait_for("!document.body.textContent.includes('has not been read yet')")
                await tab.run("document.documentElement.style.scrollbarWidth = 'none'")
                await tab.photograph(folder / name)


def main() -> None:
    """Photograph the fleet of this machine."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--url", default="http://127.0.0.1:5556", help="of the overview page")
    options.add_argument("--into", type=Path, default=DOCS, help="the folder")
    chosen = options.parse_args()
    asyncio.run(photograph(chosen.url, chosen.into))


if __name__ == "__main__":
    main()
