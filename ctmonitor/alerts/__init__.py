"""Telling people: records, files, notifications, hooks, and an outbox behind them."""
