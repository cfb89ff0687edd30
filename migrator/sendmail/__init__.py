"""Sendmail's files and reports as data: pure functions from text to text, no host is touched here."""
