"""Opening the review page in a browser, the secret out of other people's sight.

Whoever is logged in can read the arguments of every process. So a browser is given the name of a file that only its owner can read,
and the file posts the secret.
"""

from __future__ import annotations

import os
import webbrowser
from contextlib import ExitStack
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

DOOR = "open.html"
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>labelproof review</title></head>
<body>
<form method="post" action="{address}/"><input type="hidden" name="token" value="{token}"><button>Open the review page</button></form>
<script>document.forms[0].submit();</script>
</body>
</html>
"""


def write_door(folder: Path, address: str, token: str) -> Path:
    """Write the file that opens the page, readable by its owner alone.

    Parameters
    ----------
    folder : path
        One that others cannot enter.
    address : str
        Of the page, as ``http://127.0.0.1:8765``.
    token : str
    """
    file = folder / DOOR
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        target.write(PAGE.format(address=escape(address), token=escape(token)))
    return file


def open_browser(held: ExitStack, address: str, token: str) -> None:
    """Open the page in the browser of this machine, if it has one; the file lasts as long as what is held."""
    try:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="labelproof-")))  # nobody else may enter it
        door = write_door(folder, address, token)
    except OSError:  # no place for it: the printed link opens the page as well
        return
    webbrowser.open(door.as_uri())
