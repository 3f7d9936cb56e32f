"""How a hook says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import Problem

__all__ = ["reject"]


def reject(
    message: str,
    *,
    status: int | None = None,
    problems: Iterable[Problem | Mapping[str, str]] = (),
) -> dict[str, Any]:
    """What a hook returns to refuse the change it is asked about:
    `return reject("not one of ours", status=403)`.

    The status is from 400 to 499; the server takes 422 where none is given. Problems say which
    fields are wrong: `{"field": "email", "message": "must end in @example.com"}`.
    """
    if status is not None and not 400 <= status <= 499:
        raise ValueError(f"a hook refuses with a status from 400 to 499, not {status}")
    told: dict[str, Any] = {"message": message}
    if status is not None:
        told["status"] = status
    listed = [_written(problem) for problem in problems]
    if listed:
        told["problems"] = listed
    return {"reject": told}


def _written(problem: Problem | Mapping[str, str]) -> dict[str, str]:
    if not isinstance(problem, Problem):
        return dict(problem)
    written = {"field": problem.field, "message": problem.message}
    if problem.suggestion is not None:
        written["suggestion"] = problem.suggestion
    return written
