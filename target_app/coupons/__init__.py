"""Coupons: claiming one of a limited number, and using it in an order."""
