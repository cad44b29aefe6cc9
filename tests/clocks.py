"""A clock of its own for a process, by libfaketime."""

import importlib.util
from pathlib import Path

from tests.missing import skip


class Clock:
    """The time of day of some processes; they measure durations with a clock that never jumps."""

    def __init__(self, file: Path) -> None:
        """``file`` tells the processes the time. Without libfaketime the test is skipped."""
        found = importlib.util.find_spec("libfaketime")
        if found is None or found.origin is None:
            skip("libfaketime is there for Linux on x86-64 only")
        folder = Path(found.origin).parent / "vendor" / "libfaketime" / "src"
        self.environment = {
            "LD_PRELOAD": str(folder / "libfaketime.so.1"),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self._file = file
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """From now on it differs from the other machines' clocks by so much."""
        self._file.write_text(f"{seconds:+d}")
