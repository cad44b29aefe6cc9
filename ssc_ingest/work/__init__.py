"""Work in Redis: messages, queues, claims, deliveries, retries and dead letters.

This room does not depend on registries or the graph.
"""
