"""The graph: Neo4j over Bolt.

- :mod:`.driver`: the connection
- :mod:`.schema`: constraints and indexes
- :mod:`.properties`: every property of packages, versions and requirements
- :mod:`.writer`: writes the packages of many tasks in few transactions
- :mod:`.reader`: the reads of extraction, runs and the CLI
"""
