"""Settings that are set under a name that is nearly one: without a warning they have no effect."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ssc_ingest.settings import ENV_FILE, Settings, is_secret

SIMILAR = 0.87
"""Similarity (0 to 1) from which a name is taken for a misspelt one."""


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A variable that no program reads, and the setting that it was probably meant to be."""

    name: str
    place: str
    setting: str

    def __str__(self) -> str:
        return f"{self.name} in {self.place} has no effect: is it {self.setting}?"


def misspelt_settings(env_file: Path = ENV_FILE) -> list[Misspelt]:
    """Variables of the environment and of ``.env`` that resemble a setting but are not one.

    Other variables are not reported: both places belong to other programs as well.
    """
    from pydantic_settings import DotEnvSettingsSource

    known = setting_names()
    variables = DotEnvSettingsSource(Settings, env_file=env_file).env_vars
    environment = dict(os.environ)  # noqa: TID251 - only the names are read
    return [
        *resembling(environment, known, "the environment"),
        *resembling(variables, known, str(env_file.absolute())),
    ]


def resembling(
    variables: Mapping[str, object], known: Collection[str], place: str
) -> Iterator[Misspelt]:
    """The variables whose names resemble a known one."""
    for variable in variables:
        name = variable.upper()
        if name in known:
            continue
        for setting in get_close_matches(name, known, n=1, cutoff=SIMILAR):
            yield Misspelt(variable if variable.isupper() else name, place, setting)


def setting_names() -> set[str]:
    """All settings: those of the program, their ``_FILE`` forms, and those of the registries."""
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.ecosystems.endpoints import option_name
    from ssc_ingest.ecosystems.endpoints import setting_names as of_endpoint

    names = {name.upper() for name in Settings.model_fields}
    names |= {f"{name.upper()}_FILE" for name, f in Settings.model_fields.items() if is_secret(f)}
    for name, ecosystem in ecosystems().items():
        for endpoint in ecosystem.identity.endpoints:
            names.update(of_endpoint(name, endpoint))
        names.update(option_name(name, option) for option in ecosystem.identity.options)
    return names
