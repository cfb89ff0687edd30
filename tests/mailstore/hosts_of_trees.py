"""The two hosts of a look: its sh text run on real folders, with the model of rsync between them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from migrator.mailstore import compare, excludes, look, notes
from tests.mailstore import trees


@dataclass
class Pair:
    """An old and a new tree below one folder, and the notes of both hosts."""

    base: Path
    patterns: tuple[str, ...] = ()
    margin: float = look.MARGIN
    slack: float = notes.SLACK

    def __post_init__(self) -> None:
        for name in ("old", "new"):
            (self.base / name).mkdir()
        self.prune = excludes.prune(self.patterns)

    @property
    def old(self) -> Path:
        return self.base / "old"

    @property
    def new(self) -> Path:
        return self.base / "new"

    @property
    def work(self) -> Path:
        return self.base / "work"

    def there(self, script: str) -> subprocess.CompletedProcess[bytes]:
        """Run sh text on the old host, where `look` is."""
        notes_folder = str(self.base / "it's notes")
        text = look.old_script(notes_folder, self.prune, margin=self.margin, slack=self.slack)
        return self._run(text + script, self.base / "old")

    def here(self, script: str) -> subprocess.CompletedProcess[bytes]:
        """Run sh text on the new host, where `compare`, `note_here` and `foreign` are."""
        return self._run(compare.new_functions(self.prune) + script, self.base / "new")

    def _run(self, script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
        text = script.encode(errors="surrogateescape")
        return subprocess.run(
            ["sh", "-s"], input=text, cwd=folder, capture_output=True, timeout=60, check=False
        )

    def whole(self, *, delete: bool, bases: str = "both T1") -> None:
        """Note the old tree, copy all of it, and keep the note."""
        assert self.there("look mark").returncode == 0
        if delete:
            for path in sorted(set(trees.walk(self.new)) - set(trees.walk(self.old))):
                trees.remove(self.new / path)
        trees.copy(self.old, self.new, ["", *trees.walk(self.old)])
        assert self.there(f"look keep {bases}").returncode == 0

    def look(self, base: str) -> int:
        """Look at what changed, compare it with the new tree, and return the status."""
        looked = self.there(f"look changed {base}")
        if looked.returncode != 0:
            return looked.returncode
        (self.base / "stream").write_bytes(looked.stdout)
        compared = self.here("compare ../stream ../work")
        assert compared.returncode in (0, notes.ODD), compared.stderr
        return compared.returncode

    def names(self, file: str) -> list[str]:
        """Return the names in `fetch` or `extra`."""
        return [
            os.fsdecode(name).removeprefix("./") for name in (self.work / file).read_bytes().split(b"\0")[:-1]
        ]

    def copy(self, *, delete: bool) -> None:
        """Do with the names what a pass does."""
        for name in self.names("extra") if delete else ():
            trees.remove(self.new / name)
        trees.copy(self.old, self.new, self.names("fetch"))
