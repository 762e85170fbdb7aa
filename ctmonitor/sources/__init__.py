"""Where certificates come from: each source yields batches of candidates."""
