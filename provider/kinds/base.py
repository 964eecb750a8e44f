"""What every kind of resource can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from provider.api import Api, ApiError
from provider.table import Failure, Table
from provider.values import Plain


def import_hint(token: str, identifier: str) -> str:
    return f"take it over with: pulumi import {token} <name in the program> {identifier}"


class ResourceKind(ABC):
    """One kind: a table of properties and the server's calls.

    State always mirrors every input (the engine shows no old inputs to diff, update and delete), with the
    computed properties beside them.
    """

    token: ClassVar[str]
    path: ClassVar[str]
    description: ClassVar[str]
    table: ClassVar[Table]

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        """What else is wrong with inputs that fit the table; may fill in values that follow from others."""
        return []

    @abstractmethod
    async def create(self, api: Api, inputs: Plain) -> tuple[str, Plain]:
        """Make it; its id and its computed properties."""

    @abstractmethod
    def state_of(self, answer: Plain, known: Plain) -> Plain:
        """State as the server shows it; `known` is the state so far (empty at import)."""

    async def read(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        """State as it is on the server now, or None if it is gone."""
        try:
            answer = await api.call("GET", f"{self.path}/{identifier}")
        except ApiError as error:
            if error.is_gone or error.status == 400:
                return None
            raise
        return self.state_of(answer, known)

    @abstractmethod
    async def update(self, api: Api, identifier: str, old: Plain, new: Plain) -> Plain:
        """Change it in place; its computed properties afterwards."""

    async def before_delete(  # noqa: B027 - most kinds may always be deleted
        self, api: Api, identifier: str, state: Plain
    ) -> None:
        """Raise ProviderError when it must not be deleted."""

    async def delete(self, api: Api, identifier: str, state: Plain) -> None:
        """Remove it; one that is gone already is fine."""
        await self.before_delete(api, identifier, state)
        try:
            await api.call("DELETE", f"{self.path}/{identifier}")
        except ApiError as error:
            if not error.is_gone:
                raise
