"""The table of tickets that were good for an order, each once."""

ADMISSION_TABLE = """
-- Written with the order, or with an empty key by whoever gives the admission up.
CREATE TABLE IF NOT EXISTS admissions (ticket text PRIMARY KEY, key text NOT NULL);
"""

EMPTY_ADMISSIONS = "TRUNCATE admissions"
