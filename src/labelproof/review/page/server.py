"""The review page and its HTTP interface."""

from pathlib import Path
from typing import Annotated, Any, Literal

import jinja2
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException as StarletteHTTPException

from labelproof.data.dataset import media_type
from labelproof.errors import BadInput, LabelproofError
from labelproof.review.log.session import ReviewSession
from labelproof.review.page.describe import Describer
from labelproof.review.page.desk import Desk
from labelproof.review.page.guard import Guard, Keys, log_refusal, reviewer_name
from labelproof.saving.version import VERSION

ENTERED = (  # with an icon of its own: without one some browsers ask for /favicon.ico, which does not exist
    '<!doctype html><html lang="en"><title>labelproof review</title><link rel="icon" href="data:,">'
    '<meta http-equiv="refresh" content="0;url=/"></html>'
)
FARTHER = 200  # reviews in the forecast when the budget is used up
COOKIE_SECONDS = 30 * 24 * 3600
HERE = Path(__file__).parent
FIGURES = ("reviewed", "wrong", "from_reviews", "errors_left", "left_below", "advice")

Uid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Runs = Annotated[str, StringConstraints(max_length=1_000_000)]
Place = Annotated[int | float, Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False)]
Part = Annotated[list[Place | Runs], Field(min_length=2, max_length=5)]  # a span, a box, or a patch of a mask
MOST_PARTS = 10_000  # of an item


class Stale(HTTPException):
    """The request is about another audit."""

    def __init__(self) -> None:
        super().__init__(409, "There is a new audit of other labels, so the decision is not recorded. Reload the page.")


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class NameBody(_Body):
    """Who reviews."""

    name: Annotated[str, StringConstraints(max_length=200)]


class NextBody(_Body):
    """How many items are wanted."""

    count: int = Field(ge=1, le=20)


class DecisionBody(_Body):
    """A decision, as `labelproof.review.log.session.ReviewSession.decide` takes it."""

    uid: Uid
    audit: Annotated[str, StringConstraints(max_length=64)]  # fingerprint of the labels that the reviewer saw
    item: Text  # id
    action: Literal["keep", "relabel", "none", "unsure", "skip"]
    label: Text | list[Text] | Annotated[list[Part], Field(max_length=MOST_PARTS)] | None = None
    seconds: float | None = Field(default=None, ge=0, le=86_400, allow_inf_nan=False)


class UndoBody(_Body):
    """Which undo this is, so that sending it twice undoes once."""

    uid: Uid


def _reviewer(request: Request) -> str | None:
    name: str | None = request.scope["labelproof"]["reviewer"] or request.app.state.reviewer
    return name


async def _who(request: Request) -> str:
    name = _reviewer(request)
    if name is None:
        raise HTTPException(409, "Enter your name first.")
    return name


def _item(rank: int, request: Request, edition: str | None = None) -> tuple[Describer, int]:
    session, describer = request.app.state.desk.now()
    if edition is not None and edition != session.candidates.edition:
        raise Stale
    if not 0 <= rank < len(session.candidates):
        raise HTTPException(404, "There is no such item.")
    return describer, rank


Who = Annotated[str, Depends(_who)]
Item = Annotated[tuple[Describer, int], Depends(_item)]  # by its rank


def create_app(desk: Desk, keys: Keys, *, title: str, reviewer: str | None = None, hosts: Any = None) -> Guard:
    """The review page of a session, behind its guard.

    Parameters
    ----------
    desk : Desk
    keys : Keys
        Of the door.
    title : str
        What is reviewed, as the page calls it.
    reviewer : str, optional
        Name of the reviewer. By default the page asks.
    hosts : iterable of str, optional
        See `labelproof.review.page.guard.Guard`.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk, app.state.reviewer = desk, reviewer
    app.include_router(_door(desk, keys, title))
    app.include_router(_reviewing(desk), prefix="/api")
    app.include_router(_showing(), prefix="/api/items")
    for kind, handler in ((LabelproofError, _refused), (RequestValidationError, _malformed), (StarletteHTTPException, _failed)):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # it asks for a handler of any exception
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    return Guard(app, keys, hosts)


def _door(desk: Desk, keys: Keys, title: str) -> APIRouter:
    """The page, and who reviews."""
    router = APIRouter()
    page = jinja2.Environment(loader=jinja2.PackageLoader("labelproof.review.page"), autoescape=True).get_template(
        "page.html.jinja"
    )
    body = page.render(title=title, version=VERSION)

    def admit(response: Response, name: str | None) -> None:
        response.set_cookie(keys.cookie, keys.sign(name), max_age=COOKIE_SECONDS, httponly=True, samesite="strict")

    @router.get("/")
    def index(request: Request) -> HTMLResponse:
        response = HTMLResponse(body)
        if request.scope["labelproof"].get("new"):
            admit(response, None)
        return response

    @router.get("/static/review.js")
    def script() -> Response:
        own, page = desk.now().session.candidates.part.script, HERE / "static" / "review.js"
        both = "\n".join(
            file.read_text(encoding="utf-8") for file in (own, page)
        )  # one request: neither comes without the other
        return Response(both, media_type="text/javascript")

    @router.post("/")
    def enter() -> HTMLResponse:
        response = HTMLResponse(ENTERED)  # the browser sends a strict cookie only to where our own page leads
        admit(response, None)
        return response

    @router.get("/api/start")
    def start(request: Request) -> dict[str, Any]:
        session, describer = desk.now()
        candidates = session.candidates
        return {
            "title": title,
            "reviewer": _reviewer(request),
            "classes": candidates.classes,
            "kind": candidates.part.kind,
            "similar": candidates.part.similar,
            "choose": candidates.part.one_choice,
            "none": candidates.part.may_be_none,
            "by_class": candidates.part.rated() is not None,
            "of_all": candidates.of_all,
            "fingerprint": candidates.fingerprint,
            "edition": candidates.edition,
            "labels": len(candidates),
            "blind": desk.blind,
            "problem": describer.problem,
        }

    @router.post("/api/reviewer")
    def name(body: NameBody, response: Response) -> dict[str, str]:
        plain = reviewer_name(body.name)
        admit(response, plain)
        return {"reviewer": plain}

    return router


def _reviewing(desk: Desk) -> APIRouter:
    """Decisions, and the figures so far."""
    router = APIRouter()

    def state(session: ReviewSession) -> dict[str, Any]:
        return {"left": session.left(), "budget": session.asked, "edition": session.candidates.edition}

    @router.post("/next")
    def next_items(body: NextBody, own: Who) -> dict[str, Any]:
        session, describer = desk.now()
        ranks = session.next(own, body.count)
        return {"items": [describer.item(rank) for rank in ranks], **state(session)}

    @router.post("/decide")
    def decide(body: DecisionBody, own: Who) -> dict[str, Any]:
        session = desk.now().session
        if not session.is_about(body.audit):
            raise Stale
        session.decide(own, session.rank_of(body.item), body.action, body.label, body.uid, body.seconds)
        return {"saved": body.uid, **state(session)}

    @router.post("/undo")
    def undo(body: UndoBody, own: Who) -> dict[str, Any]:
        session, describer = desk.now()
        rank = session.undo(own, body.uid)
        item = None if rank is None else describer.item(rank)
        return {"item": item, **state(session)}

    def seen() -> ReviewSession:
        if desk.blind:
            raise HTTPException(404, "A blind review shows no figures while it lasts.")
        return desk.now().session

    @router.get("/figures")
    def figures() -> dict[str, Any]:
        session = seen()
        session.sync()
        found = session.figures()
        return {
            "figures": {name: getattr(found, name) for name in FIGURES} | {"error_rate": found.error_rate._asdict()},
            "curve": session.curve(),
            "outlook": session.outlook(),
            "forecast": found.forecast.points(session.left() or FARTHER),
            **session.people(),
            "fresh": session.is_fresh,
            **state(session),
        }

    @router.get("/classes")
    def classes() -> dict[str, Any]:
        session = seen()
        session.sync()
        return {"classes": session.class_rates()}

    return router


def _showing() -> APIRouter:
    """One item."""
    router = APIRouter()

    @router.get("/{rank}")
    def item(found: Item) -> dict[str, Any]:
        describer, rank = found
        return describer.item(rank)

    @router.get("/{rank}/similar")
    def similar(found: Item) -> dict[str, Any]:
        describer, rank = found
        return describer.similar(rank)

    @router.get("/{rank}/picture")
    def picture(found: Item) -> Response:
        describer, rank = found
        image = describer.picture(rank)
        if not image:
            raise HTTPException(404, "There is no picture to show.")
        return Response(image, media_type=media_type(image), headers={"cache-control": "private, max-age=3600"})

    @router.get("/{rank}/mask")
    def mask(found: Item) -> Response:
        describer, rank = found
        image = describer.mask(rank)
        if not image:
            raise HTTPException(404, "There is no mask to show.")
        return Response(image, media_type=media_type(image), headers={"cache-control": "private, max-age=3600"})

    return router


def _refused(request: Request, error: LabelproofError) -> JSONResponse:
    status = 422 if isinstance(error, BadInput) else 503
    log_refusal(request.scope, status, type(error).__name__ if status == 422 else str(error))
    return JSONResponse({"error": str(error)}, status)


def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    place = ".".join(str(part) for part in error.errors()[0]["loc"][:3])[:80]
    log_refusal(request.scope, 422, "the request is malformed")
    return JSONResponse({"error": f"The request is malformed at {place}."}, 422)


def _failed(request: Request, error: StarletteHTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail, "stale": isinstance(error, Stale)}, error.status_code)
