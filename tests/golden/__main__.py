"""`python -m tests.golden`: write the golden files anew."""

from __future__ import annotations

import shutil

from tests.golden.rendering import FILES, rendered

texts = rendered()
shutil.rmtree(FILES, ignore_errors=True)
for name, text in texts.items():
    path = FILES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, errors="surrogateescape")
