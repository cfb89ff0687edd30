"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A loaded machine is no reason to fail, and a test that passed must pass again.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("steady")
