"""Whether what the graph holds is enough to resolve packages as their own tools do.

``python -m benchmarks.resolver_truth npm express vite`` resolves packages by reading the graph
alone and compares the result, a set of ``name==version``, with the lock file of the ecosystem's
tool. What the graph lacks is extracted first, by name, through a fleet of its own. See
``docs/resolver-truth.md`` for the results.

.. code-block:: text

    interface.py   Root, Resolver, Unresolvable: what an ecosystem's module has to offer
    graph.py       what a resolver may read: packages, versions, requirements, tables
    extraction.py  servers and workers of our own; extracts packages by name
    comparison.py  resolves, extracts what was missing, again, until nothing is; then the tool
    report.py      the table
    npm/ pip/ cargo.py   one ecosystem each; prereleases.py: what both think of ranges
    __main__.py    the command; ``RESOLVERS`` is the inventory

A further ecosystem is a module with a class that fulfils
:class:`~benchmarks.resolver_truth.interface.Resolver`, and its line in
``benchmarks.resolver_truth.__main__.RESOLVERS``.
"""
