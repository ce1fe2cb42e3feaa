"""The state that the events add up to: objects by kind and key, indexes, and what a fold changed."""
