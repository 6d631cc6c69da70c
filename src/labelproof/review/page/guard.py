"""Access to the review page: who may enter, from where, and with how large a request. Refusals are logged without secrets."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from labelproof.errors import BadInput
from labelproof.validation import Json

MOST_BYTES = 1024 * 1024  # of a request's body
BODY_SECONDS = 10.0  # within which it must be here
FORM = "application/x-www-form-urlencoded"
LONGEST_NAME = 80
MOST_FIELDS = 20  # of a form or a query
NO_TOKEN = "Open the page by the link that labelproof review printed: it holds the token."
LOG = logging.getLogger("labelproof.review")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def reviewer_name(name: str) -> str:
    """A reviewer's name without surrounding blanks.

    Raises
    ------
    BadInput
        If it is empty, longer than 80 characters, or holds a character that cannot be printed.
    """
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
        raise BadInput(f"The name of a reviewer has 1 to {LONGEST_NAME} printable characters.")
    return plain


@dataclass(frozen=True)
class Keys:
    """The token of the link, and the signed cookies that it is exchanged for; cookies hold as long as the token does.

    Attributes
    ----------
    token : str
    cookie : str
        Name of the cookie, one for each port, because browsers share cookies among ports.
    """

    token: str
    cookie: str

    def admits(self, token: str) -> bool:
        """Whether this is the token of the link."""
        return hmac.compare_digest(token.encode(errors="replace"), self.token.encode())

    def sign(self, reviewer: str | None) -> str:
        """A new cookie for a reviewer, whose name may not be known yet."""
        payload = json.dumps({"nonce": secrets.token_urlsafe(12), "reviewer": reviewer}).encode()
        body = base64.urlsafe_b64encode(payload).decode()
        return f"{body}.{self._signature(body)}"

    def read(self, cookie: str) -> Json | None:
        """What a cookie says, or ``None`` if it is not one of ours."""
        body, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return None
        try:
            content = json.loads(base64.urlsafe_b64decode(body))
        except (ValueError, binascii.Error):
            return None
        return content if isinstance(content, dict) else None

    def _signature(self, body: str) -> str:
        return hmac.new(self.token.encode(), body.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware around the page.

    Every request needs the cookie, or the token: in the address of the page, or posted to it; only style sheet and script are free.
    Other requests that write must come from the page's own origin and carry JSON. A body over 1 MiB is refused before it is read
    whole, one that is not here after ten seconds as well, and so is any name of this host that it does not have (a page elsewhere
    whose name was pointed here).

    Parameters
    ----------
    app : ASGI application
    keys : Keys
    hosts : iterable of str or None
        Names with port by which the page may be called; ``None``: any.
    """

    def __init__(self, app: Any, keys: Keys, hosts: Iterable[str] | None) -> None:
        self.app, self.keys = app, keys
        self.hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            headers[key] = f"{headers[key]}; {text}" if key == "cookie" and key in headers else text
        reason, status = self._refusal(scope, headers)
        if reason:
            log_refusal(scope, status, reason)
            await _answer(send, status, reason, plain=scope["path"] == "/")
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            body, reason, status = None, "the body did not come", 408
        else:
            if body is None:
                reason, status = "the body is too large", 413
            elif _enters(scope) and not self._let_in(scope, body):
                reason, status = NO_TOKEN, 403
        if body is None or reason:
            log_refusal(scope, status, reason)
            await _answer(send, status, reason, plain=_enters(scope))
            return
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def whole() -> Message:
            return next(given, None) or await receive()

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self.app(scope, whole, with_headers)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[str, int]:
        """Why a request is refused, and with which status; an empty reason admits it."""
        host = headers.get("host", "").lower()
        if self.hosts is not None and host not in self.hosts:
            return "the page is not known by this name", 421
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            return "the length of the body is no number", 400
        if length > MOST_BYTES:
            return "the body is too large", 413
        if scope["path"].startswith("/static/") and scope["method"] in ("GET", "HEAD"):
            return "", 0
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if _enters(scope):  # from a file, hence of no origin; the token in the body decides
            return ("", 0) if kind == FORM else ("the body is no form", 415)
        scope["labelproof"] = self._who(scope, headers)
        if scope["labelproof"] is None:
            return NO_TOKEN, 403
        if scope["method"] not in ("GET", "HEAD"):
            if urlsplit(headers.get("origin", "")).netloc.lower() != host:
                return "the request comes from another page", 403
            if kind != "application/json":
                return "the body is not JSON", 415
        return "", 0

    def _who(self, scope: Scope, headers: dict[str, str]) -> Json | None:
        """What the cookie or the token of a request says of its sender."""
        known = next(filter(None, map(self.keys.read, _cookies(headers.get("cookie", ""), self.keys.cookie))), None)
        if known is None and scope["path"] == "/" and scope["method"] == "GET":
            return self._by_token(scope["query_string"])
        return known

    def _let_in(self, scope: Scope, body: bytes) -> bool:
        """Whether a form holds the token; what the scope says of its sender, then."""
        scope["labelproof"] = self._by_token(body)
        return scope["labelproof"] is not None

    def _by_token(self, encoded: bytes) -> Json | None:
        """Who comes with a query or a form, if it holds the token."""
        try:
            tokens = parse_qs(encoded.decode("latin-1"), max_num_fields=MOST_FIELDS).get("token", [])
        except ValueError:
            return None
        return {"reviewer": None, "new": True} if len(tokens) == 1 and self.keys.admits(tokens[0]) else None


def _enters(scope: Scope) -> bool:
    """Whether a request posts the token to the page."""
    return (scope["path"], scope["method"]) == ("/", "POST")


def _cookies(header: str, name: str) -> list[str]:
    """The values of the cookies of a name; browsers send those of every application on this host, however they are written."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [value.strip().strip('"') for key, _, value in pairs if key.strip() == name]


async def _body(receive: Receive) -> bytes | None:
    """The body of a request, or ``None`` as soon as it is too large, however long it says that it is."""
    parts, taken, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        taken += len(parts[-1])
        if taken > MOST_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def log_refusal(scope: Scope, status: int, reason: str) -> None:
    """One line for a refused request: never its query, its headers or its body."""
    client = (scope.get("client") or ("?",))[0]
    path = scope["path"][:120].encode("unicode_escape").decode("ascii")
    LOG.warning("refused %d %s %s from %s: %s", status, scope["method"], path, client, reason)


async def _answer(send: Send, status: int, reason: str, plain: bool) -> None:
    """A refusal: as JSON to the page, as a sentence to a person who opened its address."""
    body = (reason if plain else json.dumps({"error": reason})).encode()
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    kind = b"text/plain; charset=utf-8" if plain else b"application/json"
    headers += [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
