"""Tests whether the graph has enough data to resolve packages like their own tools.

``python -m benchmarks.resolver_truth npm express vite`` resolves packages from the graph only. It
compares the result, a set of ``name==version``, with the lock file of the ecosystem's tool.
Packages that are not in the graph are extracted first, by name, through a private fleet. See
``docs/resolver-truth.md`` for the results.

.. code-block:: text

    interface.py   Root, Resolver, Unresolvable: the interface of an ecosystem's module
    graph.py       the data for a resolver: packages, versions, requirements, tables
    extraction.py  private servers and workers; extracts packages by name
    comparison.py  resolves and extracts until no package is missing; then runs the tool
    report.py      the table
    npm/ pip/ cargo.py   one ecosystem each; prereleases.py: their common rules of ranges
    __main__.py    the command; ``RESOLVERS`` lists the ecosystems

A further ecosystem needs a module with a class that implements
:class:`~benchmarks.resolver_truth.interface.Resolver`, and a line in
``benchmarks.resolver_truth.__main__.RESOLVERS``.
"""
