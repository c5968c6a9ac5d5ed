"""The shop's HTTP face: what shoppers, operators, probes and the provider may call."""
