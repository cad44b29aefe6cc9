"""The variables that the program reads."""

from collections.abc import Mapping

import pytest

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import option_name, setting_names
from ssc_ingest.errors import ConfigurationError
from ssc_ingest.settings import Settings, load_settings


def known_names() -> set[str]:
    """Every variable that the program reads."""
    names = {name.upper() for name in Settings.model_fields}
    for ecosystem, cls in ecosystems().items():
        for endpoint in cls.identity.endpoints:
            names.update(setting_names(ecosystem, endpoint))
        names.update(option_name(ecosystem, option) for option in cls.identity.options)
    return names


def refusal(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> str:
    """The error for these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None)
    return str(caught.value)
