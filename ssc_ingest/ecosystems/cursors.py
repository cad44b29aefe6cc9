"""Cursors as text: a few fields of which nobody but their registry's module knows anything."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ssc_ingest.errors import CursorExpired


class Cursor(BaseModel):
    """Base of a registry's cursors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registry: ClassVar[str]
    """For people."""

    @classmethod
    def read(cls, text: str) -> Self:
        """What :meth:`write` wrote.

        Raises:
            CursorExpired: it was not this program that wrote it, or another version of it.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise CursorExpired(f"not a cursor of {cls.registry}: {text[:100]!r}") from error

    def write(self) -> str:
        """As text."""
        return self.model_dump_json(exclude_defaults=True)
