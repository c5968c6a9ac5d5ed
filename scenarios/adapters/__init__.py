"""What adapters are made of: templates and sources, requests and rules, compiled once."""
