"""Stand-ins that tests share: what the other side of our protocols does, written from scratch."""
