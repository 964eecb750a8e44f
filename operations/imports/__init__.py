"""A home's earlier history brought over: from InfluxDB 1.x and from Home Assistant's recorder.

source (influxdb1_server, influxdb1_export, recorder) -> slices of readings in order of time
history        -> the event of each reading, with what the entity said before
summarise      -> rows of the hours and days that are older than raw events are kept
engine         -> writes, keeps the position, counts; report says what became of everything
"""
