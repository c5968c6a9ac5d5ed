"""Planted bugs: each a small named strategy that real shops have had, chosen by the plan."""
