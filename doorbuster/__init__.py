"""Doorbuster: rehearse a flash sale before the sale."""

__version__ = "0.1.0"
