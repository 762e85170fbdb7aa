"""Following hosts: who is due, what changed, what is told."""
