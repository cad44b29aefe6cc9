"""``query``: runs a read-only Cypher statement and prints a table."""

import asyncio
from typing import Annotated

import typer

from ssc_ingest.cli import output

LIMIT = 50


def query(
    cypher: Annotated[str, typer.Argument(metavar="CYPHER", help="The statement.")],
    *,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows to show.")] = LIMIT,
    as_json: output.JSONOption = False,
) -> None:
    """Run a Cypher statement on the graph and print the result as a table.

    The server refuses statements that write.

    [cyan]ssc-ingest query "MATCH (p:PyPIPackage) RETURN p.purl, p.latest LIMIT 10"[/cyan]

    [cyan]ssc-ingest query "MATCH (:NPMPackage {purl: 'pkg:npm/ms'})-[:HAVE]->(v) RETURN v"[/cyan]
    """
    asyncio.run(_query(cypher, limit=limit, as_json=as_json))


async def _query(cypher: str, *, limit: int, as_json: bool) -> None:
    from ssc_ingest.cli import graph_values
    from ssc_ingest.cli.connections import configured, graph_store
    from ssc_ingest.errors import GraphRefused, InvalidArguments
    from ssc_ingest.graph.views import GraphViews

    settings, servers = configured()
    async with graph_store(settings, servers) as driver:
        views = GraphViews(driver, timeout=settings.db_default_query_timeout_ms / 1000)
        try:
            answer = await views.query(cypher, limit=limit)
        except GraphRefused as error:
            raise InvalidArguments(str(error)) from error
    if as_json:
        rows = [
            dict(zip(answer.columns, map(graph_values.document, row), strict=True))
            for row in answer.rows
        ]
        output.print_json(rows)
    elif not answer.rows:
        output.say("no rows")
    else:
        cells = [[graph_values.text(value) for value in row] for row in answer.rows]
        numeric = [
            column
            for index, column in enumerate(answer.columns)
            if all(type(row[index]) in {int, float} for row in answer.rows)
        ]
        output.console().print(output.table(answer.columns, cells, right=numeric))
    if answer.more:
        output.say(f"more than {limit} rows: --limit shows more", style="dim", stderr=True)
