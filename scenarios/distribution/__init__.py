"""Traffic shared out: a Locust master, its workers here or elsewhere, one clock, one run."""
