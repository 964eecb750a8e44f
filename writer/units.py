"""Which units a device class can have: Home Assistant's own table for sensors (developers.home-assistant.io)."""

from __future__ import annotations

_LENGTHS = "mm cm m km in ft yd mi nmi"
_VOLUMES = "L mL gal fl.oz. m³ ft³ CCF MCF"
_SPEEDS = "ft/s in/d in/h in/s km/h kn m/s m/min mph mm/d mm/h mm/s Beaufort"
_ENERGIES = "J kJ MJ GJ mWh Wh kWh MWh GWh TWh cal kcal Mcal Gcal"
_PARTICLES = "µg/m³ μg/m³ mg/m³"
_PRESSURES = "mPa Pa hPa kPa bar cbar mbar mmHg inHg inH₂O psi"

UNITS: dict[str, frozenset[str]] = {
    name: frozenset(unit.replace("fl.oz.", "fl. oz.") for unit in units.split())
    for name, units in {
        "apparent_power": "mVA VA kVA",
        "atmospheric_pressure": _PRESSURES,
        "battery": "%",
        "carbon_dioxide": "ppm",
        "carbon_monoxide": "ppm ppb " + _PARTICLES,
        "conductivity": "S/cm mS/cm µS/cm μS/cm",
        "current": "A mA",
        "data_rate": "bit/s kbit/s Mbit/s Gbit/s B/s kB/s MB/s GB/s KiB/s MiB/s GiB/s",
        "data_size": "bit kbit Mbit Gbit B kB MB GB TB PB EB ZB YB KiB MiB GiB TiB PiB EiB ZiB YiB",
        "distance": _LENGTHS,
        "duration": "d h min s ms µs μs",
        "energy": _ENERGIES,
        "energy_storage": _ENERGIES,
        "frequency": "Hz kHz MHz GHz mHz",
        "gas": "L m³ ft³ CCF MCF",
        "humidity": "%",
        "illuminance": "lx",
        "irradiance": "W/m² BTU/(h⋅ft²)",
        "moisture": "%",
        "nitrogen_dioxide": "ppb ppm " + _PARTICLES,
        "ozone": "ppb ppm " + _PARTICLES,
        "pm1": _PARTICLES,
        "pm10": _PARTICLES,
        "pm25": _PARTICLES,
        "power": "mW W kW MW GW TW BTU/h",
        "power_factor": "%",
        "precipitation": "cm in mm",
        "precipitation_intensity": "in/d in/h mm/d mm/h",
        "pressure": _PRESSURES,
        "reactive_power": "mvar var kvar",
        "signal_strength": "dB dBm",
        "sound_pressure": "dB dBA",
        "speed": _SPEEDS,
        "temperature": "°C °F K",
        "voltage": "V mV µV μV kV MV",
        "volume": _VOLUMES,
        "volume_storage": _VOLUMES,
        "water": "L gal m³ ft³ CCF MCF",
        "weight": "kg g mg µg μg oz lb st",
        "wind_direction": "°",
        "wind_speed": _SPEEDS,
    }.items()
}
