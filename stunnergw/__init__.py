"""stunnergw: an event-sourced Kubernetes gateway operator for STUNner.

Sources append events to a log, the projector folds them into a store and computes a snapshot,
servers hand configuration documents to stunnerd, and sinks write what Kubernetes should hold.
"""

__version__ = "0.1.0"
