"""Postgres as the shop sees it: which node takes writes, a pool with deadlines, the tables."""
