"""Flower's address, port, password and queues, for ``celery -A workers flower``.

Flower reads its own options only: its defaults are every interface and no password, and it does not
read ``.env``. Whoever can open Flower can stop workers. It lists the queues of the workers that it
found when it started; ours are known without any worker.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from ssc_ingest.errors import ConfigurationError
from ssc_ingest.settings import Settings

LOOPBACK = "127.0.0.1"


def apply_settings(options: Any, arguments: Sequence[str], settings: Settings) -> None:
    """Complete Flower's options.

    Args:
        options: Flower's parsed options (tornado's ``OptionParser``).
        arguments: those of the command line, which take precedence over the settings.
        settings: this program's.

    Raises:
        ConfigurationError: no password is set, and an option names an address that other machines
            reach.
    """
    if not any(argument.lstrip("-").startswith("port=") for argument in arguments):
        options.port = settings.flower_port
    if settings.flower_password and not options.basic_auth:
        password = settings.flower_password.get_secret_value()
        options.basic_auth = [f"{settings.flower_user}:{password}"]
    if options.basic_auth or options.auth or options.unix_socket:
        return
    if options.address and not _is_loopback(options.address):
        raise ConfigurationError(
            f"Flower does not listen on {options.address} without a password, because anyone who "
            f"can open it can stop the workers: set FLOWER_PASSWORD, or use --address={LOOPBACK}"
        )
    options.address = options.address or LOOPBACK


def list_all_queues() -> None:
    """Flower's page of queues shows every queue, whichever workers are running."""
    from flower.views import BaseHandler  # noqa: PLC0415 - for Flower's process only

    def queues(handler: Any) -> list[str]:
        return sorted(queue.name for queue in handler.capp.conf.task_queues)

    BaseHandler.get_active_queue_names = queues


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
