"""The two mail hosts, reached over SSH: reading, performing, and how each family of distributions does it."""
