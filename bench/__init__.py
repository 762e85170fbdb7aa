"""Side by side with the peer: `python -m bench`. How is told in docs/bench.md."""
