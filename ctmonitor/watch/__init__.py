"""Own domains: which certificates there are for them, and what is wrong with any."""
