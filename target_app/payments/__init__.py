"""Payments: asking the provider, what its answer does to an order, and finding out later."""
