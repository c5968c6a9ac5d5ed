"""Answers: JSON when it went well, RFC 9457 problems with a stable `code` when it did not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

T = TypeVar("T")


class ProblemError(Exception):
    """A definite answer other than the one asked for, e.g. 409 `sold_out`."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.details = details or {}
        self.headers = headers or {}


def reply(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(body), status, headers=headers, media_type="application/json"
    )


def problem(error: ProblemError) -> Response:
    body = {
        "type": f"/problems/{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "code": error.code,
        **error.details,
    }
    return Response(
        msgspec.json.encode(body),
        error.status,
        headers=error.headers,
        media_type="application/problem+json",
    )


def parse(body: bytes, wanted: type[T]) -> T:
    """Read `body` as `wanted`, or answer 422 with what was expected where."""
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.DecodeError as error:
        raise ProblemError(422, "invalid_body", details={"detail": str(error)}) from error


def answer_problems(app: FastAPI) -> None:
    """Make every definite refusal of `app`, ours or the framework's, a problem."""
    app.add_exception_handler(ProblemError, _refused)
    app.add_exception_handler(HTTPException, _misrouted)
    app.add_exception_handler(RequestValidationError, _malformed)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem(error)


async def _misrouted(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    return problem(ProblemError(error.status_code, code, headers=error.headers))


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [".".join(map(str, each["loc"])) + ": " + each["msg"] for each in error.errors()]
    return problem(ProblemError(422, "invalid_request", details={"detail": "; ".join(wrong)}))
