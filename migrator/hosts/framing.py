"""Where a script's own output begins: behind what a login shell prints, which sshd starts each command by (sshd(8)).

bash reads ~/.bashrc then, csh ~/.cshrc, fish config.fish and zsh ~/.zshenv; what these print would pass for the
beginning of a file, of a queue or of a list of accounts.
"""

from __future__ import annotations

import secrets

KEPT = 4096
"""How much of what a login shell printed is kept, in bytes, to be shown."""


_FOR_WHO_ASKS = ":\n:\n"
"""Lines that mean nothing: a start-up file that asks a question takes the first one for its answer."""


class Frame:
    """The mark before one script's output, which nobody can guess."""

    def __init__(self) -> None:
        self._line = f"migrate-begins-{secrets.token_hex(16)}\n".encode()

    def begin(self) -> bytes:
        """Return the line of sh that goes before a script: a shell that has come so far runs it, and says so."""
        mark = self._line.decode().rstrip("\n")
        return f"{_FOR_WHO_ASKS}printf '%s\\n' {mark}; printf '%s\\n' {mark} >&2\n".encode()

    def stream(self) -> Stream:
        """Return what cuts one stream of the script's."""
        return Stream(self._line)


class Stream:
    """One stream from which everything up to the mark is taken away, piece by piece.

    `begun` says that the mark was there, `before` what stood in front of it, as far as it is kept.
    """

    def __init__(self, line: bytes) -> None:
        """Given the line of the mark; b"": there is none, and all is the script's own."""
        self._line = line
        self._waiting = bytearray()
        self.begun = not line
        self.before = b""

    def feed(self, piece: bytes) -> bytes:
        """Given what came, return what of it is the script's own."""
        if self.begun:
            return piece
        searched = max(0, len(self._waiting) - len(self._line))
        self._waiting += piece
        place = self._waiting.find(self._line, searched)
        if place < 0:
            return b""
        self.begun = True
        self.before = bytes(self._waiting[max(0, place - KEPT) : place])
        rest = bytes(self._waiting[place + len(self._line) :])
        self._waiting.clear()
        return rest

    def rest(self) -> bytes:
        """Return what came where no mark did: it is not the script's, and may say why."""
        return bytes(self._waiting)

    @property
    def size(self) -> int:
        """Return how many bytes wait for the mark."""
        return len(self._waiting)
