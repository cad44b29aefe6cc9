"""The rules of the overview page that need no server."""

import base64
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.monitoring.waiting import latency_of
from ssc_ingest.on_demand.jobs import Span
from ssc_ingest.phrases import size
from ssc_ingest.settings import load_settings
from ssc_ingest.web.access import Access, is_own_origin
from ssc_ingest.web.rendering import MAX_SHOWN, shown, templates

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def access(password: str | None = None, address: str = "127.0.0.1", user: str = "admin") -> Access:
    """The rules for a password and an address."""
    settings = load_settings(None, flower_password=password, flower_user=user)
    return Access(settings, address)


def basic(user: str, password: str) -> str:
    """The header of a login."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@given(st.text(st.characters()))
def test_shown_texts_have_nothing_invisible(text: str) -> None:
    """Whatever a registry sends can be encoded, and no character changes how others look."""
    result = shown(text)
    result.encode()
    for char in result:
        assert char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co"}
    visible = all(unicodedata.category(c)[0] in "LNPS" or c in " \n\t" for c in text)
    assert not visible or result == text


def test_long_texts_are_cut() -> None:
    """A page stays small."""
    assert len(shown("a" * (MAX_SHOWN + 1))) == MAX_SHOWN + len(" [...]")
    assert shown("a" * MAX_SHOWN) == "a" * MAX_SHOWN


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_values_are_escaped(text: str) -> None:
    """Every template escapes values, also inside attributes."""
    page = templates().from_string('<a title="{{ x }}">{{ x }}</a>').render(x=text)
    assert page.count("<") == page.count(">") == 2
    assert page.count('"') == 2


@given(user=st.text(min_size=1), password=st.text(min_size=1), other=st.text())
def test_only_the_password_permits_changes(user: str, password: str, other: str) -> None:
    """Without one on loopback, everybody may change something."""
    try:
        rules = access(password, user=user)
    except ConfigurationError:  # characters that no environment variable has
        return
    except UnicodeEncodeError:
        return
    assert rules.may_change(basic(user, password))
    assert rules.may_change(basic(user, other)) == (other == password)
    assert not rules.may_change(basic(user, password).removeprefix("Basic "))
    assert not rules.may_change(other)
    assert not rules.may_change(None)
    assert access().may_change(None)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104
def test_other_addresses_need_a_password(address: str) -> None:
    """The page needs a password at other addresses, as Flower does."""
    with pytest.raises(ConfigurationError, match="set FLOWER_PASSWORD"):
        access(address=address)
    assert access("secret", address).accepts_host("ingest.example.org")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_hosts_on_loopback(address: str) -> None:
    """Only names of this machine, with any port."""
    rules = access("secret", address)
    for host in ("localhost", "LOCALHOST:5556", "127.0.0.1:80", "[::1]:5556", f"{address}"):
        assert rules.accepts_host(f"[{host}]" if host == "::1" else host)
    assert not rules.accepts_host(None)
    for host in ("", "evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "["):
        assert not rules.accepts_host(host)


def test_tokens_belong_to_one_visitor_and_one_process() -> None:
    """A form of another one is refused."""
    rules = access()
    assert rules.accepts_token("visitor", rules.token("visitor"))
    assert not rules.accepts_token("other", rules.token("visitor"))
    assert not rules.accepts_token("visitor", access().token("visitor"))
    assert not rules.accepts_token("", rules.token(""))
    assert not rules.accepts_token(None, rules.token(""))
    assert not rules.accepts_token("visitor", "\u00e9")


@pytest.mark.parametrize(
    ("origin", "fetch_site", "is_own"),
    [
        (None, None, True),
        ("http://127.0.0.1:5556", None, True),
        ("http://127.0.0.1:5557", None, False),
        ("http://evil.example", None, False),
        ("null", None, False),
        ("http://[", None, False),
        ("https://proxy.example.org", "same-origin", True),
        ("http://127.0.0.1:5556", "cross-site", False),
        ("http://127.0.0.1:5556", "none", False),
    ],
)
def test_origins(origin: str | None, fetch_site: str | None, is_own: bool) -> None:  # noqa: FBT001
    """What a browser says about the page that sent a form."""
    assert is_own_origin("127.0.0.1:5556", origin, fetch_site) == is_own


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_latency(seconds: list[float]) -> None:
    """Of jobs of the last day, half took at most the median, and 95% at most the slow one."""
    spans = [Span(NOW - timedelta(seconds=each), NOW) for each in seconds]
    old = Span(NOW - timedelta(days=9), NOW - timedelta(days=2))
    found = latency_of([*spans, old, Span(NOW, None)], now=NOW)
    assert found.jobs == len(seconds)
    assert found.median is not None
    assert found.slow is not None
    took = [(NOW - span.created_at).total_seconds() for span in spans]
    assert found.longest == max(took)
    assert sum(each <= found.median for each in took) >= len(took) / 2
    assert sum(each <= found.slow for each in took) >= len(took) * 0.95


def test_no_job_has_no_latency() -> None:
    """The latency is unknown, not 0 s."""
    assert latency_of([], now=NOW).median is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (15_000_000, "14 MiB"), (2**41, "2.0 TiB")],
)
def test_sizes(amount: int, text: str) -> None:
    """Sizes have binary units."""
    assert size(amount) == text
