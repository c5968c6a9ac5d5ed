"""Faults of Postgres: who is primary, who follows, and what either of them refuses."""
