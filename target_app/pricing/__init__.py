"""What a cart costs: rules as values, the pure function over them, their linter, and quotes."""
