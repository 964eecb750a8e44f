"""Units of measurement that Home Assistant knows: a measurement of such a name is a unit, whatever is in it."""

from __future__ import annotations

import re

_WORDS = """
$ % ° °C °F K A mA V mV W kW MW GW TW VA kVA var kvar Wh kWh MWh GWh J kJ MJ GJ cal kcal BTU/h pH
Hz kHz MHz GHz Pa hPa kPa bar cbar mbar mmHg inHg psi mm cm m km in ft yd mi m² ft² m³ ft³ CCF
L mL gal m³/h L/min ft³/min gal/min g kg mg µg μg oz lb st mm/d mm/h in/d in/h m/s km/h kn mph ft/s
lx lm UV B kB MB GB TB PB KiB MiB GiB TiB bit kbit Mbit Gbit bit/s kbit/s Mbit/s Gbit/s B/s kB/s MB/s
GB/s KiB/s MiB/s GiB/s ms s min h d w y μs µs dB dBA dBm ppm ppb p/m³ µg/m³ μg/m³ mg/m³ µS/cm W/m²
rpm € ¢
"""
UNITS = frozenset(re.findall(r"\S+", _WORDS)) | {"UV index", "fl. oz.", "BTU/(h⋅ft²)"}
