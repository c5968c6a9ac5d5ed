"""Orders: their states, the one way to change one, checkout, and the end of holds."""
