"""``web``: the overview page."""

from functools import partial
from typing import Annotated

import typer

from ssc_ingest.cli import output


def web(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 chooses a free one. Default: WEB_PORT."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: WEB_ADDRESS.")
    ] = None,
) -> None:
    """Serve the overview page: coverage, runs, queues, dead letters, registries, schedules.

    [cyan]ssc-ingest web[/cyan]  then open http://127.0.0.1:5556

    [cyan]ssc-ingest web --port 8080[/cyan]

    `ssc-ingest up` serves it, too. The page works without JavaScript, and refreshes itself with it.

    Everybody who reaches the page can read it. Changes (replay, pauses of registries, switches of
    schedules) require FLOWER_USER and FLOWER_PASSWORD. Without a password it listens on loopback
    only, and everybody on this machine can make changes.

    /healthz is for monitoring: JSON, 200 while the server works.

    It stays in the foreground; Ctrl-C stops it. A store that does not respond is shown as unknown.

    The exit code is 78 if the port is in use, or if it is to listen beyond loopback without a
    password.
    """
    from ssc_ingest.cli.connections import configured, graph_store, state_store
    from ssc_ingest.logs import configure
    from ssc_ingest.settings import ENV_FILE
    from ssc_ingest.vulnerabilities.store import open_store
    from ssc_ingest.web import Access, Sources, WebServer, application

    settings, servers = configured()
    configure(settings)
    access = Access(settings, address or settings.web_address)
    server = WebServer(access.address, settings.web_port if port is None else port)
    sources = Sources(
        settings=settings,
        servers=servers,
        env_file=ENV_FILE,
        state=partial(state_store, settings, servers),
        graph=partial(graph_store, settings, servers),
        vulnerabilities=partial(open_store, servers.vulnerabilities_uri, settings),
    )

    def ready() -> None:
        output.say(f"the overview page is at {server.url}; Ctrl-C stops it", stderr=True)
        if access.needs_password:
            output.say("changes require FLOWER_USER and FLOWER_PASSWORD", stderr=True)

    server.serve(application(sources, access), ready=ready)
    output.say("stopped", stderr=True)
