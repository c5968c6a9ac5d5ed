"""Members: who somebody is said to be, the session token that says so, and what each may have."""
