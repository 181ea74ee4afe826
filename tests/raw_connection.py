"""A connection for octets: for clients that no library would be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xds.http2_frames import PREFACE, SETTINGS, frame

HELLO = PREFACE + frame(SETTINGS, 0, 0, b"")


@asynccontextmanager
async def dialled(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Reads no more than 64 KiB ahead. Gone at the end, whatever is unsaid."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 15)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
