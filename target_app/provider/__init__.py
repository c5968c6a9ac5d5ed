"""The payment provider simulator: an own process with an own book, and ways to misbehave."""
