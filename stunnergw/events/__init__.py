"""What happened, in order: the types of events and the log that keeps the newest of them."""
