"""What stunnerd reads: one neutral configuration value, its spellings, and the documents made of it."""
