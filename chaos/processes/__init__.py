"""Faults of processes: ended, stopped, started again, and crowded out."""
