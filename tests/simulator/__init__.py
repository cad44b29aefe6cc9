"""A registry simulator: six package registries over real HTTP, from a seed.

Every package is a pure function of (seed, ecosystem, index), so that a hundred thousand of
them cost no memory, two runs serve the same bytes, and the simulator knows the
correct graph without any parser.

.. code-block:: text

    options.py     the options of a universe: size, versions, requirements, seed
    universe.py    the true packages, releases and requirements;  versions.py words.py
    ecosystem.py   the interface of an ecosystem: its spellings, and its registry's notation
    pypi/ npm.py maven/ crates.py rubygems.py nuget/   one registry each: wire formats, and
                   tables of (the registry's notation, the graph's notation)
    osv.py         the bucket of advisories
    registries.py  the inventory
    registry.py    one ecosystem while it runs: a bounded cache, releases made at run time
    npm_manifest.py  the fields of npm's manifests, and the facts in them;  npm_ranges.py
    gem_builds.py  the builds of gems, and the facts in them;  gem_lists.py
    truth.py       what a correct graph holds; closures;  traits.py: packages of a kind
    faults.py      which request fails, and how;  delivery.py: failing on the socket
    weight.py      documents as large as the largest
    counts.py      what was asked for
    server.py      the HTTP server;  control.py: its control API
    client.py      starts one in its own process and talks to it;  fixtures.py: for tests
    load.py        measures how many requests a second it answers

Adding a registry is one module with a subclass of :class:`~tests.simulator.ecosystem.Ecosystem`
and its line in ``registries.ECOSYSTEMS``.
"""
