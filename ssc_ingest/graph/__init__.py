"""The graph: Neo4j over Bolt.

- :mod:`.driver`: connecting
- :mod:`.schema`: constraints and indexes
- :mod:`.writer`: many tasks submit packages, few transactions write them
- :mod:`.reader`: what extraction, runs and the CLI ask
"""
