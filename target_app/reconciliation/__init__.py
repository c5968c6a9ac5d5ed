"""The shop's books beside the provider's: what one has and the other lacks, and for how long."""
