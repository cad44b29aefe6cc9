"""The rules for reading the page and for making changes.

The rule is that of Flower: with ``FLOWER_PASSWORD`` every change requires it. Without a password
the page listens on loopback only, and every user of this machine may make changes.

A browser sends a password, or reaches loopback, on behalf of any site that its user visits. So a
change must come from a form of this page (:meth:`Access.token`), and on loopback the ``Host``
header must name this machine: a foreign name that resolves to 127.0.0.1 is refused.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.http.rate_limit import is_loopback
from ssc_ingest.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Access:
    """The rules for one server.

    Args:
        settings: the user and the password.
        address: the address on which the page listens.

    Raises:
        ConfigurationError: other machines would reach a page without a password.
    """

    def __init__(self, settings: Settings, address: str) -> None:
        password = settings.flower_password
        self.is_local = is_loopback(f"[{address}]" if ":" in address else address)
        if not password and not self.is_local:
            raise ConfigurationError(
                f"the page does not listen on {address} without a password, because anyone who "
                "can open it could pause registries: set FLOWER_PASSWORD, or WEB_ADDRESS=127.0.0.1"
            )
        self.address = address
        self._credentials = (
            _digest(f"{settings.flower_user}:{password.get_secret_value()}") if password else None
        )
        self._key = secrets.token_bytes(32)

    @property
    def needs_password(self) -> bool:
        """Whether a change requires a password."""
        return self._credentials is not None

    def may_change(self, authorization: str | None) -> bool:
        """Whether the ``Authorization`` header (HTTP Basic, RFC 7617) permits changes.

        The comparison takes the same time for every wrong password.
        """
        if self._credentials is None:
            return True
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        matches = hmac.compare_digest(hashlib.sha256(given).digest(), self._credentials)
        return matches and scheme.lower() == "basic"

    def accepts_host(self, host: str | None) -> bool:
        """Whether the ``Host`` header names this server.

        Behind another address than loopback, only the operator knows the names; there, changes
        require a password, which a browser keeps to the name for which it was entered.
        """
        if not self.is_local:
            return True
        try:
            name = urlsplit(f"//{host}").hostname if host else None
        except ValueError:
            return False
        return name in LOOPBACK_NAMES or name == self.address

    def token(self, visitor: str) -> str:
        """The proof that a form came from this server; ``visitor`` is the value of a cookie."""
        return hmac.new(self._key, visitor.encode(), hashlib.sha256).hexdigest()

    def accepts_token(self, visitor: str | None, token: str | None) -> bool:
        """Whether a form was made for this visitor, by this process."""
        expected = self.token(visitor or "")
        return hmac.compare_digest(expected.encode(), (token or "").encode()) and bool(visitor)


def is_own_origin(host: str | None, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a browser says that a request came from a page of the same origin.

    Args:
        host: the header ``Host``.
        origin: the header ``Origin``, if any.
        fetch_site: the header ``Sec-Fetch-Site``; a proxy may change the host, but not this.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    if origin is None:
        return True  # not a browser, or an old one: the token decides
    try:
        return bool(host) and urlsplit(origin).netloc == host
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
