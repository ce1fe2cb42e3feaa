"""From the store to a snapshot: the engine that remembers, the decisions as queries, and the projector."""
