"""Errors, never with a traceback: a page for browsers, ``{"error": {"statusCode", "name", "message"}}`` else."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.catalogue.search.errors import TooLarge
from pancommons.server.pages.languages import later
from pancommons.server.pages.problem import problem_page
from pancommons.store.engine import TookTooLong

log = logging.getLogger(__name__)

_NAMES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    409: "ConflictError",
    410: "GoneError",
    413: "PayloadTooLargeError",
    422: "UnprocessableEntityError",
    429: "TooManyRequestsError",
    503: "ServiceUnavailableError",
    508: "LoopDetectedError",
}


def error_object(status: int, message: str, *, code: str | None = None, name: str | None = None) -> JSONResponse:
    """Make an answer that says what went wrong."""
    told: dict[str, object] = {
        "statusCode": status,
        "name": name or _NAMES.get(status, "Error"),
        "message": message,
    }
    if code:
        told["code"] = code
    return JSONResponse({"error": told}, status)


def told(
    request: Request,
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> Response:
    """Say what went wrong, as a page to a browser and in JSON to anything else."""
    if "text/html" in request.headers.get("accept", ""):
        answer: Response = problem_page(request, status, message, reference)
    else:
        where = f"; the server's log says what under {reference}" if reference else ""
        answer = error_object(status, message + where)
    answer.headers.update(headers or {})
    return answer


def install(app: FastAPI) -> None:
    """Make every exception an answer in this form."""

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        return told(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return told(request, 400, f"{place}: {first['msg']}")

    @app.exception_handler(BadInput)
    async def bad(request: Request, error: BadInput) -> Response:
        return told(request, 400, str(error))

    @app.exception_handler(TookTooLong)
    async def slow(request: Request, error: TookTooLong) -> Response:
        return told(request, 503, f"{error}; ask for less")

    @app.exception_handler(TooLarge)
    async def large(request: Request, error: TooLarge) -> Response:
        return told(request, 413, str(error))

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        reference = secrets.token_hex(4)
        log.error("reference %s: %s %s", reference, request.method, request.url.path, exc_info=error)
        return told(request, 500, later("something went wrong here"), reference=reference)
