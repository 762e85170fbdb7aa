"""The live pipeline: what sources yield is judged, stored, and told."""
