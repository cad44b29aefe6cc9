"""Secrets in files: ``NAME_FILE`` is the path of a file with the value of ``NAME``.

Container platforms mount secrets as files (Compose: ``/run/secrets/...``), because the environment
of a container is shown by ``docker inspect`` and inherited by every child process.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from ssc_ingest.errors import ConfigurationError

MAX_SIZE = 64 * 1024
"""Bytes of a file; a secret is a line of text."""


class SecretFiles(PydanticBaseSettingsSource):
    """The secrets in files whose paths are in another source.

    Args:
        settings_cls: the class of settings.
        secrets: names of its fields whose values may be in files.
        names: the source of the paths: the environment, or ``.env``.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        secrets: Collection[str],
        names: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._secrets = secrets
        self._variables: Mapping[str, str | None] = getattr(names, "env_vars", {})

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - its own signature
        """The value of one secret or ``None``, its name, and ``False``: the value is not JSON."""
        path = self._variables.get(f"{field_name}_file")
        if not path:
            return None, field_name, False
        variable = field_name.upper()
        if self._variables.get(field_name):
            raise ConfigurationError(f"set {variable} or {variable}_FILE, not both")
        return _read(Path(path).expanduser(), variable), field_name, False

    def __call__(self) -> dict[str, str]:
        """The secrets that are in files, by field.

        Raises:
            ConfigurationError: a file cannot be read, or ``NAME`` is set as well.
        """
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(fields[name], name)[0] for name in self._secrets}
        return {name: value for name, value in found.items() if value is not None}


def _read(path: Path, variable: str) -> str:
    """The text of the file without the newline at its end."""
    where = f"{variable}_FILE={str(path)!r}"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(
            f"{where}: {error.strerror}; put the secret there, readable for this program's user, "
            f"or set {variable} instead"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: the file must be UTF-8 text") from None
    if not text or len(content) > MAX_SIZE:
        problem = f"is larger than {MAX_SIZE} bytes" if text else "is empty"
        raise ConfigurationError(f"{where}: the file {problem}; it must hold only the secret")
    return text
