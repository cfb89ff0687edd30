"""A line with delay, for kernels without netem: connections that the firewall redirects here go on, later.

Runs on the machine where connections begin, once for all of them. Each direction is late by so many milliseconds,
and nothing limits how much is under way; the handshake of TCP costs its round trip as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys

SO_ORIGINAL_DST = 80
"""Where a redirected connection was going (linux/netfilter_ipv4.h)."""

MARK = 0x6D6C
"""What the firewall knows connections of this program by, so that they are not redirected again."""

PIECE = 1 << 18
UNDER_WAY = 256
"""How many pieces may be on the line at once: 64 MB, more than any window."""


def destination(connection: socket.socket) -> tuple[str, int]:
    """Given a redirected connection, return the address and port that it was meant for."""
    told = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    port, address = struct.unpack("!2xH4s8x", told)
    return socket.inet_ntoa(address), port


def marked() -> socket.socket:
    """Return a socket whose packets the firewall lets through."""
    opened = socket.socket()
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class Line:
    """Relays connections, `delay` seconds late in each direction."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._relayed: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until both of its ends are closed."""
        # The loop itself knows its tasks only weakly.
        task = asyncio.create_task(self._relay(reader, writer))
        self._relayed.add(task)
        task.add_done_callback(self._relayed.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        accepted: socket.socket = writer.get_extra_info("socket")
        if destination(accepted) == accepted.getsockname():
            writer.close()  # nobody's: it was not redirected, and would come here again
            return
        there = marked()
        try:
            await loop.sock_connect(there, destination(accepted))
        except OSError:
            there.close()
            await asyncio.sleep(2 * self._delay)
            writer.transport.abort()
            return
        await asyncio.sleep(2 * self._delay)
        far_reader, far_writer = await asyncio.open_connection(sock=there, limit=PIECE)
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        for end in (writer, far_writer):
            end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)
        arriving = asyncio.create_task(self._arrive(line, writer))
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE):
                await line.put((clock() + self._delay, piece))
        await line.put((clock() + self._delay, b""))
        await arriving

    async def _arrive(self, line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError, OSError):
            while True:
                due, piece = await line.get()
                await asyncio.sleep(max(0.0, due - clock()))
                if not piece:
                    writer.write_eof()
                    return
                writer.write(piece)
                await writer.drain()
        while (await line.get())[1]:
            pass  # the other side is gone, and its sender must not wait for room


async def listen(port: int, delay: float) -> None:
    """Relay all that is redirected to the port, for as long as this process lives."""
    server = await asyncio.start_server(Line(delay).serve, "0.0.0.0", port, limit=PIECE)  # noqa: S104
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1]), float(sys.argv[2])))
