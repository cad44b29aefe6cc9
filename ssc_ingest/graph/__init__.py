"""The graph: Neo4j over Bolt.

- :mod:`.driver`: connecting
- :mod:`.schema`: constraints and indexes
- :mod:`.properties`: every property of packages, versions and requirements
- :mod:`.writer`: many tasks submit packages, few transactions write them
- :mod:`.reader`: what extraction, runs and the CLI ask
"""
