"""What every kind of resource can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from provider.api import Api, ApiError, ProviderError
from provider.ownership import carries
from provider.table import Failure, Property, Table, diff, is_id
from provider.values import Plain

ORGANIZATION_ID = Property(
    name="orgId", kind="string", required=True, replaces=True, is_id=True, description="id of its organization"
)
DESCRIPTION = Property(name="description", kind="string", description="what it is for")
STATUS = Property(
    name="status",
    kind="string",
    default="active",
    choices=("active", "inactive"),
    description="inactive: it does not run",
)


def import_hint(token: str, identifier: str) -> str:
    return f"take it over with: pulumi import {token} <name in the program> {identifier}"


class ResourceKind(ABC):
    """One kind: a table of properties and the server's calls.

    State always mirrors every input (the engine shows no old inputs to diff, update and delete), with the
    computed properties beside them. `mark` is this resource's mark of ownership (provider/ownership.py).
    """

    token: ClassVar[str]
    path: ClassVar[str]
    description: ClassVar[str]
    table: ClassVar[Table]
    # What the answer to a listing calls its list, and the largest page that may be asked for (0: all in one answer).
    collection: ClassVar[str] = ""
    page_size: ClassVar[int] = 100
    update_method: ClassVar[str] = "PATCH"
    # Names that differ only in the case of their letters are one.
    folds_names: ClassVar[bool] = False
    # What a lookup may be asked by (empty: there is none), and properties that only a program has, not the server.
    lookup_keys: ClassVar[tuple[str, ...]] = ("id", "orgId", "name")
    only_declared: ClassVar[frozenset[str]] = frozenset()
    # A replacement that could not stand beside the old one is made after it is gone.
    deleted_before_replaced: ClassVar[bool] = False

    @property
    def lookup_token(self) -> str:
        package, module, name = self.token.split(":")
        return f"{package}:{module}:get{name}"

    @property
    def noun(self) -> str:
        """How it is called in a sentence: `notification rule`."""
        name = self.token.rpartition(":")[2]
        return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()

    @property
    def transient(self) -> frozenset[str]:
        return frozenset(one.name for one in self.table if one.transient)

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        """What else is wrong with inputs that fit the table; may fill in values that follow from others."""
        return []

    @abstractmethod
    def body(self, inputs: Plain, mark: str) -> Plain:
        """What the server takes to make it."""

    @abstractmethod
    def state_of(self, answer: Plain, known: Plain) -> Plain:
        """State as the server shows it; `known` is the state so far (empty at import)."""

    def change(self, inputs: Plain, mark: str) -> Plain:
        """What the server takes to change it."""
        return self.body(inputs, mark)

    def computed(self, answer: Plain, inputs: Plain) -> Plain:
        """What only the server decides."""
        return {}

    def name_of(self, answer: Plain) -> str:
        return str(answer.get("name", ""))

    def name_in(self, inputs: Plain) -> str:
        return str(inputs.get("name", ""))

    def is_own(self, answer: Plain, inputs: Plain, mark: str) -> bool:
        return carries(answer.get("description"), mark)

    def kept_by_update(self, old: Plain, new: Plain) -> Plain:
        """At preview: the computed properties that an update leaves as they are."""
        return {one.name: old[one.name] for one in self.table if one.computed and one.name in old}

    def identifier(self, asked: str, state: Plain) -> str:
        """The id under which the state keeps what was read."""
        return asked

    async def create(self, api: Api, inputs: Plain, mark: str = "") -> tuple[str, Plain]:
        """Make it, or go on with what an earlier run made and did not live to tell; its id and computed properties."""
        existing = await self.listing(api, inputs)
        marks = (mark, *getattr(mark, "later", ()))
        own = next((one for each in marks for one in existing if self.is_own(one, inputs, each)), None)
        if own is None:
            own = await self.left_behind(api, existing, inputs, mark)
        if own is not None:
            return await self.adopt(api, own, inputs, mark)
        await self._refuse_namesake(api, existing, inputs, mark)
        # Entered before the server is asked: another one of that name in the same program finds it.
        entry: Plain = {"id": "", "name": self.name_in(inputs)}
        existing.append(entry)
        try:
            answer = await self.post(api, inputs, mark)
        except BaseException:
            existing.remove(entry)
            raise
        entry |= answer
        return answer["id"], self.computed(answer, inputs)

    async def post(self, api: Api, inputs: Plain, mark: str) -> Plain:
        """The call that makes it; the server's answer."""
        return dict(await api.call("POST", self.path, self.body(inputs, mark)))

    async def _refuse_namesake(self, api: Api, existing: list[Plain], inputs: Plain, mark: str) -> None:
        name = self.name_in(inputs)
        for one in existing:
            if not name or not self._same(self.name_of(one), name):
                continue
            if not one["id"]:
                raise ProviderError(f"The {self.noun} {name!r} is declared twice in this organization.")
            # The listing is from the start of this run: it may be gone or renamed by now.
            now = await self.answer(api, one["id"], inputs)
            if now is None or not self._same(self.name_of(now), name):
                continue
            # What this one replaces has the same name and was to be deleted afterwards: it has to go first.
            if any(self.is_own(now, inputs, earlier) for earlier in getattr(mark, "earlier", ())):
                await self.delete(api, one["id"], inputs)
            else:
                raise ProviderError(
                    f"The {self.noun} {name!r} exists already in this organization; "
                    f"{import_hint(self.token, one['id'])} (or choose another name)"
                )

    async def left_behind(self, api: Api, existing: list[Plain], inputs: Plain, mark: str) -> Plain | None:
        """What an earlier run left and that has no room for a mark."""
        return None

    async def adopt(self, api: Api, own: Plain, inputs: Plain, mark: str) -> tuple[str, Plain]:
        """What an earlier run left, brought to what the program wants; what can't be brought there is made anew."""
        now = await self.answer(api, own["id"], inputs)
        if now is not None:
            changes = diff(self.table, self.state_of(now, inputs), inputs, frozenset())
            if not any(change.replaces for change in changes.values()):
                api.taken_over.add(own["id"])
                return own["id"], await self.update(api, own["id"], {}, inputs, mark)
            await api.call("DELETE", f"{self.path}/{own['id']}")
        answer = await self.post(api, inputs, mark)
        return answer["id"], self.computed(answer, inputs)

    async def listing(self, api: Api, inputs: Plain) -> list[Plain]:
        """Everything of this kind in the resource's organization when this run first asked."""
        return await api.listing(self.path, self.collection, {"orgID": inputs["orgId"]}, self.page_size)

    def _same(self, one: str, other: str) -> bool:
        return one.casefold() == other.casefold() if self.folds_names else one == other

    async def look_up(self, api: Api, given: Plain) -> Plain:
        """The one that `given` names by its id, or by the other lookup keys: its state and id. Raises ProviderError."""
        identifier = given.get("id")
        if identifier:
            answer = await self.answer(api, str(identifier), given)
            if answer is None:
                raise ProviderError(f"There is no {self.noun} with id {identifier} on {api.url}.")
            return self.found(answer)
        missing = [key for key in self.lookup_keys if key != "id" and key not in given]
        if missing:
            others = ", ".join(key for key in self.lookup_keys if key != "id")
            raise ProviderError(f"A {self.noun} is looked up by id, or by {others}: {', '.join(missing)} is not given.")
        name = self.name_in(given)
        matching = [one for one in await self.listing(api, given) if self._same(self.name_of(one), name)]
        if len(matching) == 1:
            # A listing may leave things out that the answer for one has.
            return self.found(await self.answer(api, matching[0]["id"], given) or matching[0])
        if not matching:
            raise ProviderError(f"There is no {self.noun} {name!r} in this organization on {api.url}.")
        identifiers = ", ".join(one["id"] for one in matching)
        raise ProviderError(f"There are {len(matching)} of the name {name!r}: name one by id: {identifiers}")

    def found(self, answer: Plain) -> Plain:
        """What a lookup tells: the state without secrets, and the id."""
        state = self.state_of(answer, {})
        told = {one.name for one in self.table if not one.secret and one.name not in self.only_declared}
        return {name: value for name, value in state.items() if name in told} | {"id": answer["id"]}

    async def read(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        """State as it is on the server now, or None if it is gone."""
        answer = await self.answer(api, identifier, known)
        return None if answer is None else self.state_of(answer, known)

    def address(self, identifier: str) -> str:
        """Where the server shows all of it."""
        return f"{self.path}/{identifier}"

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        """It as the server shows it now, or None if it is gone."""
        try:
            return dict(await api.call("GET", self.address(identifier)))
        except ApiError as error:
            if error.is_gone or not is_id(identifier):
                return None
            raise

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        """Change it in place; its computed properties afterwards."""
        answer = await api.call(self.update_method, f"{self.path}/{identifier}", self.change(new, mark))
        return self.computed(answer or {}, new)

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


def variant_failures(
    inputs: Plain, choice: str, needed: Mapping[str, frozenset[str]], allowed: Mapping[str, frozenset[str]]
) -> list[Failure]:
    """What is wrong with properties that only some values of `choice` have; `allowed` beside what is `needed`."""
    chosen = inputs.get(choice)
    if not isinstance(chosen, str) or chosen not in needed:
        return []
    every = frozenset[str]().union(*needed.values(), *allowed.values())
    failures = [
        Failure(name, f"is required where {choice} is {chosen}") for name in sorted(needed[chosen] - inputs.keys())
    ]
    for name in sorted((every - needed[chosen] - allowed[chosen]) & inputs.keys()):
        owners = sorted(one for one in needed if name in needed[one] | allowed[one])
        failures.append(Failure(name, f"belongs to {choice} {' and '.join(owners)}, and this is {chosen}"))
    return failures


def known_text(value: Any) -> str | None:
    """A text that is known already, else None."""
    return value if isinstance(value, str) else None
