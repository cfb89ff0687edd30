"""Mailboxes as files: what rsync is told, and what mbox and Maildir trees look like."""
