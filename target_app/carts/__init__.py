"""Carts: what somebody means to buy. They hold no stock and promise no price."""
