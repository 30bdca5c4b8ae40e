"""Errors as every face of the API says them: ``{"error": {"statusCode", "name", "message"}}``, never a traceback."""

from __future__ import annotations

import logging
import secrets

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.store.engine import TookTooLong

log = logging.getLogger(__name__)

_NAMES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
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


def install(app: FastAPI) -> None:
    """Make every exception an answer in this form."""

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> JSONResponse:
        answer = error_object(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return error_object(400, f"{place}: {first['msg']}")

    @app.exception_handler(BadInput)
    async def bad(request: Request, error: BadInput) -> JSONResponse:
        return error_object(400, str(error))

    @app.exception_handler(TookTooLong)
    async def slow(request: Request, error: TookTooLong) -> JSONResponse:
        return error_object(503, f"{error}; ask for less")

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        reference = secrets.token_hex(4)
        log.error("reference %s: %s %s", reference, request.method, request.url.path, exc_info=error)
        return error_object(500, f"something went wrong here; the server's log says what under {reference}")
