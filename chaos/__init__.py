"""Faults: what breaks in a sale, begun and always undone."""
