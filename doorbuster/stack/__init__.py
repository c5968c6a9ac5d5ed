"""Stacks: start the system under test and end it again, leaving nothing behind."""
