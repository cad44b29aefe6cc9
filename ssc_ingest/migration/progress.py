"""The progress and the counters of a migration."""

from typing import Protocol

COUNTS = {
    "packages_changed": "packages got other properties or labels",
    "packages_merged": "packages were duplicates and became one with an older node",
    "packages_invalid": "packages have names that are invalid in their registry",
    "packages_deleted": "packages without a valid name and without references were deleted",
    "packages_twins": "packages keep their capitals, because another one owns the lower-case name",
    "versions_changed": "versions got other properties or labels",
    "versions_merged": "versions were duplicates and became one with an older node",
    "versions_copied": "versions belonged to several packages, and were copied",
    "versions_detached": "duplicate or wrong links from packages to versions were deleted",
    "versions_deleted": "versions without a name or a package were deleted",
    "requirements_changed": "requirements got other constraints or the owner's purl",
    "requirements_unreadable": "of these had unreadable constraints: now any version",
    "requirements_joined": "requirements of a version for the same package became one",
    "requirements_deleted": "requirements with an invalid start or end were deleted",
    "file_requirements_changed": "requirements of files were repaired",
    "file_requirements_joined": "requirements of a file for the same package became one",
}
"""The counters in the order of the summary, with texts that follow a number."""


class Progress(Protocol):
    """Receives the progress. All numbers are of nodes."""

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        """A step starts; ``total`` is its approximate size, if known."""
        ...

    def advance(self, amount: int) -> None:
        """More nodes of the step are done."""
        ...

    def say(self, text: str) -> None:
        """Report a remark for people."""
        ...
