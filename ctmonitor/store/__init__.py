"""Findings, gaps and cursors kept in SQLite or PostgreSQL, by one code path."""
