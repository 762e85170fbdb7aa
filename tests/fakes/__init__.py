"""Servers that tests, demo-feed and bench run against: real sockets on loopback."""
