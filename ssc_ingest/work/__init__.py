"""Work in Redis: messages, queues, claims, deliveries, retries and dead letters.

Nothing here knows a registry or the graph.
"""
