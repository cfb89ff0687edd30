"""migrate moves a Sendmail mail server to a new host without losing a message."""

__version__ = "0.1.0"
