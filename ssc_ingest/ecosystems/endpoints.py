"""Base URLs, request rates and options of the registries, each with its own setting.

The settings' names are computed from the ecosystem's identity, so a registry module defines its own
settings. Endpoint ``index`` of ``cargo`` creates ``CARGO_INDEX_URL`` and ``CARGO_INDEX_RATE``,
option ``index_reader`` of ``maven`` creates ``MAVEN_INDEX_READER``.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.settings import is_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One base URL of a registry, and the fleet's maximum requests a second to its host."""

    key: str
    url: str
    rate: float
    about: str = ""
    """One line for the settings documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Another setting of one registry."""

    key: str
    choices: tuple[str, ...]
    """The allowed values; the first one is the default."""
    about: str
    """One line for the settings documentation."""


class Endpoints:
    """One ecosystem's configured endpoints: ``endpoints.url("index", "se", "rd", "serde")``."""

    def __init__(
        self,
        urls: dict[str, str],
        rates: dict[str, float],
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._urls = urls
        self._rates = rates
        self._options = options or {}

    def url(self, key: str, *segments: str) -> str:
        """The endpoint's base URL with path segments (already percent-encoded) appended."""
        return "/".join((self._urls[key], *segments))

    def chosen(self, option: Option) -> str:
        """The value of an option."""
        return self._options.get(option.key, option.choices[0])

    @property
    def urls(self) -> Collection[str]:
        """The base URLs in force: configured ones and defaults."""
        return self._urls.values()

    @property
    def main_rate(self) -> float:
        """Maximum requests a second to the host of the packages' documents (the first endpoint)."""
        return self.hosts[urlsplit(next(iter(self._urls.values()))).netloc]

    @property
    def hosts(self) -> dict[str, float]:
        """Maximum requests a second by host[:port]; the lowest rate if endpoints share a host."""
        hosts: dict[str, float] = {}
        for key, url in self._urls.items():
            host = urlsplit(url).netloc
            hosts[host] = min(self._rates[key], hosts.get(host, self._rates[key]))
        return hosts


def host_names(endpoints: Iterable[Endpoints], *others: str) -> frozenset[str]:
    """The host names of all base URLs in force, and of other URLs."""
    urls = [*others, *(url for each in endpoints for url in each.urls)]
    return frozenset(urlsplit(url).hostname or "" for url in urls)


class _EndpointSettings(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    @field_validator("*")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and str(info.field_name).endswith("_url"):
            if not is_address(value, {"http", "https"}):
                raise ValueError("must be an http(s) URL")
            if "@" in urlsplit(value).netloc:
                raise ValueError("must be a URL without user name and password")
            return value.rstrip("/")
        return value


def load_endpoints(
    ecosystem: str,
    endpoints: tuple[Endpoint, ...],
    env_file: Path | None,
    options: tuple[Option, ...] = (),
) -> Endpoints:
    """Read the URLs, rates and options of one ecosystem from the environment and ``.env``.

    Raises:
        ConfigurationError: a value is invalid; the text names the variable.
    """
    fields: dict[str, Any] = {}
    for endpoint in endpoints:
        url_name, rate_name = setting_names(ecosystem, endpoint)
        fields[url_name.lower()] = (str, endpoint.url)
        fields[rate_name.lower()] = (float, Field(endpoint.rate, gt=0))
    for option in options:
        name = option_name(ecosystem, option).lower()
        fields[name] = (Literal[option.choices], option.choices[0])
    model = create_model("EndpointSettings", __base__=_EndpointSettings, **fields)
    try:
        values = model(_env_file=env_file).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        given = first["input"]
        if isinstance(given, str) and "@" in given:
            given = "..."  # the value may contain a password
        raise ConfigurationError(f"{name}={given!r}: {first['msg']}") from None
    urls, rates = {}, {}
    for endpoint in endpoints:
        url_name, rate_name = setting_names(ecosystem, endpoint)
        urls[endpoint.key] = values[url_name.lower()]
        rates[endpoint.key] = values[rate_name.lower()]
    chosen = {option.key: values[option_name(ecosystem, option).lower()] for option in options}
    return Endpoints(urls, rates, chosen)


def setting_names(ecosystem: str, endpoint: Endpoint) -> tuple[str, str]:
    """The names of an endpoint's two settings: its URL and its rate."""
    prefix = f"{ecosystem}_{endpoint.key}".upper()
    return f"{prefix}_URL", f"{prefix}_RATE"


def option_name(ecosystem: str, option: Option) -> str:
    """The name of an option's setting."""
    return f"{ecosystem}_{option.key}".upper()
