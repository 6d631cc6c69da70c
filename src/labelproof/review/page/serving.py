"""The listening server of the review page: address, secret and timeouts."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from labelproof.errors import BadInput
from labelproof.review.page.desk import Desk
from labelproof.review.page.guard import Guard, Keys
from labelproof.review.page.server import create_app

PORT = 8765
PORTS_TRIED = 50
HEAD_SECONDS = 10.0  # within which the head of a request must be here
HEAD_BYTES = 256 * 1024  # of it: other applications on this host may have set many cookies
M_MMAP_THRESHOLD, MMAP_BYTES = -3, 1024**2  # of mallopt; blocks of at least so many bytes are mapped one by one
TOKEN_VARIABLE = "LABELPROOF_TOKEN"


def serve(
    desk: Desk,
    *,
    title: str,
    host: str = "127.0.0.1",
    port: int | None = None,
    reviewer: str | None = None,
    ready: Callable[[str, str], None],
) -> None:
    """Serve the page until interrupted.

    Parameters
    ----------
    host : str
        Address to listen on. Addresses other than loopback admit other machines that have the token.
    port : int, optional
        By default 8765 or the next free one; 0 is any free one.
    ready : callable
        Is given the address and the token when the page answers. The token is new at each start, or that of the environment
        variable ``LABELPROOF_TOKEN``.

    Raises
    ------
    BadInput
        If the address cannot be listened on.
    """
    listening = _listen(host, port)
    own_port = listening.getsockname()[1]
    shown = host if host not in ("0.0.0.0", "::") else socket.gethostname()
    shown = f"[{shown}]" if ":" in shown else shown
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    if len(token) < 16:
        raise BadInput(f"{TOKEN_VARIABLE} has {len(token)} characters. Give a secret of at least 16.")
    loopback = host in ("127.0.0.1", "::1", "localhost")
    hosts = {f"{name}:{own_port}" for name in ("127.0.0.1", "localhost", "[::1]")} if loopback else None
    keys = Keys(token, f"labelproof-{own_port}")
    _return_memory()
    app = create_app(desk, keys, title=title, reviewer=reviewer, hosts=hosts)
    server = _Server(_config(app))
    server.ready = lambda: ready(f"http://{shown}:{own_port}", token)
    logging.getLogger("labelproof.review").addHandler(logging.StreamHandler())
    with suppress(KeyboardInterrupt):  # how a person ends it
        server.run(sockets=[listening])


def _return_memory() -> None:
    """Have large blocks, as of decoded pictures, given back as soon as they are freed: glibc keeps 64 MB for each thread."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def _config(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )


class _Connection(H11Protocol):
    """A connection that is closed when the head of a request does not come."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._end_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Server(uvicorn.Server):
    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()


def _listen(host: str, port: int | None) -> socket.socket:
    tried = [port] if port is not None else [*range(PORT, PORT + PORTS_TRIED), 0]
    problem: OSError | None = None
    for number in tried:
        try:
            return socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            problem = error
    raise BadInput(f"Cannot listen on {host} port {tried[0]} ({problem}). Choose another --host or --port.")
