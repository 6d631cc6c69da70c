"""The review that the page shows: that of the audit now in the folder."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

from labelproof.auditing.findings import ISSUES_FILE
from labelproof.errors import BadInput, LabelproofError, Unavailable
from labelproof.review.log.session import ReviewSession
from labelproof.review.page.describe import Describer

LOG = logging.getLogger("labelproof.review")


class Open(NamedTuple):
    """A review, and what shows its items."""

    session: ReviewSession
    describer: Describer


class Desk:
    """Reopens the review when the folder holds another audit.

    Parameters
    ----------
    session : ReviewSession
        The review of the first audit.
    blind : bool, default=False
        Whether reviewers do not see which label was given.

    Raises
    ------
    BadInput
        If labels of this kind cannot be reviewed blindly.
    """

    def __init__(self, session: ReviewSession, blind: bool = False) -> None:
        if blind and not session.candidates.part.may_be_blind:
            raise BadInput(
                f"{session.candidates.part.kind} cannot be reviewed with --blind: they are corrected on the page, which has to show "
                "what was given. Review them without --blind."
            )
        self.blind = blind
        self._file = session.candidates.folder / ISSUES_FILE
        self._lock = threading.Lock()
        self._mark = self._look()
        self._open = Open(session, Describer(session.candidates, blind))

    def now(self) -> Open:
        """The review of the current audit; if that cannot be read, the review before it.

        Raises
        ------
        Unavailable
            If the store cannot be reached; the next call tries again.
        """
        mark = self._look()
        if mark is not None and mark != self._mark:
            with self._lock:  # other requests wait for the new review
                if mark != self._mark:
                    self._renew()
                    self._mark = mark
        return self._open

    def _renew(self) -> None:
        try:
            session = self._open.session.renewed()
            self._open = Open(session, Describer(session.candidates, self.blind))
        except Unavailable:
            raise
        except LabelproofError as error:
            LOG.warning(
                "the folder holds a new audit that cannot be reviewed: %s", str(error).encode("unicode_escape").decode()
            )
        else:
            LOG.warning("the folder holds a new audit: the review continues with it")

    def _look(self) -> tuple[int, int] | None:
        """A mark that changes when another audit replaces this one."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
