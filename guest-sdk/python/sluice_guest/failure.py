"""Why something cannot be done, in the words of a plugin."""

import re
from dataclasses import dataclass, field

CODE_CHARACTERS_MAX = 64


class Failure(Exception):
    """Why a row or a table cannot be handled.

    `code` is a constant of the plugin, `[a-z0-9-]{1,64}`: it goes to logs and metrics, so never a value; what does not
    fit is made to fit. `detail` is for a person and may name values.
    """

    def __init__(self, code: str, detail: object = "") -> None:
        self.code = re.sub("[^a-z0-9-]", "-", code.lower())[:CODE_CHARACTERS_MAX] or "failure"
        self.detail = str(detail)
        super().__init__(f"{self.code}: {self.detail}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failure) and (self.code, self.detail) == (other.code, other.detail)

    __hash__ = Exception.__hash__


@dataclass
class Problem:
    """A mistake in the configuration, by JSON Pointer ("/columns/2", or "" for all of it)."""

    path: str
    message: str


@dataclass
class ConfigError(Exception):
    """All mistakes of a configuration at once, so that they are mended in one go."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, path: str, message: str) -> None:
        """Notes one more mistake."""
        self.problems.append(Problem(path, message))

    def raise_if_any(self) -> None:
        """Raises itself where a mistake was noted."""
        if self.problems:
            raise self
