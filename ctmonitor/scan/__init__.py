"""Visiting hosts: names, pages, certificates, and who is behind them."""
