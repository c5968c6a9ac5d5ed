"""Redis as the shop sees it: fast, shared by the replicas, and not to be relied on."""
