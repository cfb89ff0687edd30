"""Readers of the event stream: terminal, JSON lines."""
