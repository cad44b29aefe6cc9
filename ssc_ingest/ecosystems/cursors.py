"""Serialisation of cursors. A cursor is opaque to everything but its registry's module."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ssc_ingest.errors import CursorExpired


class Cursor(BaseModel):
    """Base of a registry's cursors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registry: ClassVar[str]
    """Name of the registry in error messages."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse a text written by :meth:`write`.

        Raises:
            CursorExpired: another program, or another version of this one, wrote the text.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise CursorExpired(f"not a cursor of {cls.registry}: {text[:100]!r}") from error

    def write(self) -> str:
        """The cursor as text."""
        return self.model_dump_json(exclude_defaults=True)
