"""Figures: what a run measured, counted by one definition everywhere."""
