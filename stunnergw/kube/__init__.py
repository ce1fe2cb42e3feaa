"""Talking to the API server: the only package that knows kubernetes-asyncio.

Importing that library costs 0.4 s and 63 MiB, so nothing here is imported where there is no cluster.
"""
