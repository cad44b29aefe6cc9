"""The servers of an embedded stack that runs all of them, for tests and benchmarks."""

from ssc_ingest.servers import EmbeddedAddresses, Servers


def servers_of(addresses: EmbeddedAddresses) -> Servers:
    """The addresses of all servers, none of which is configured."""
    assert addresses.graph_uri
    assert addresses.redis_url
    assert addresses.vulnerabilities_uri
    return Servers(addresses.graph_uri, None, addresses.redis_url, addresses.vulnerabilities_uri)
