"""Traffic: shoppers who arrive when the clock says so, and what they saw."""
