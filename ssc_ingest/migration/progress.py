"""What a migration tells while it runs, and what it counts."""

from typing import Protocol

COUNTS = {
    "packages_changed": "packages got other properties or labels",
    "packages_merged": "packages were duplicates and became one with an older node",
    "packages_invalid": "packages have names that their registry cannot have",
    "packages_deleted": "packages without a usable name, that nothing referred to, are gone",
    "packages_twins": "packages keep their capitals, since another one owns the lower-case name",
    "versions_changed": "versions got other properties or labels",
    "versions_merged": "versions were duplicates and became one with an older node",
    "versions_copied": "versions belonged to several packages, and were copied",
    "versions_detached": "doubled or wrong links from packages to versions are gone",
    "versions_deleted": "versions without a name or a package are gone",
    "requirements_changed": "requirements got other constraints or the owner's purl",
    "requirements_unreadable": "of these had constraints that nobody can read: now any version",
    "requirements_joined": "requirements on the same package became one",
    "requirements_deleted": "requirements that started or ended where none can are gone",
    "file_requirements_changed": "requirements of files were repaired",
    "file_requirements_joined": "requirements of files on the same package became one",
}
"""What is counted, in the order of a summary, in words that follow a number."""


class Progress(Protocol):
    """Who is told. All numbers are of nodes."""

    def begin(self, title: str, total: int | None, done: int = 0) -> None:
        """A part of the work begins; ``total`` is about how much it is, if that is known."""
        ...

    def advance(self, amount: int) -> None:
        """So much more of the part is done."""
        ...

    def say(self, text: str) -> None:
        """Something that a person should know."""
        ...
