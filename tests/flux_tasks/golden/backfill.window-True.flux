start = 2026-03-01T00:00:00Z
stop = 2026-03-02T00:00:00Z

rows = (field) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field)
        |> group(columns: ["entity_id", "domain", "device_class"])

store = (field, time, tables=<-) =>
    tables
        |> group()
        |> set(key: "_measurement", value: "hourly_events")
        |> set(key: "_field", value: field)
        |> to(
            bucket: "events_hourly",
            timeColumn: time,
            tagColumns: ["entity_id", "domain", "device_class"],
        )

read1 = rows(field: "normalized_value") |> window(every: 1h)
min_value = read1 |> min()
min_value |> store(field: "min_value", time: "_start") |> count() |> yield(name: "min_value")
max_value = read1 |> max()
max_value |> store(field: "max_value", time: "_start") |> count() |> yield(name: "max_value")
sum_value = rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
sum_value |> store(field: "sum_value", time: "_time") |> count() |> yield(name: "sum_value")
value_count = rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start")
value_count |> store(field: "value_count", time: "_time") |> count() |> yield(name: "value_count")
event_count = rows(field: "state_value") |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start")
event_count |> store(field: "event_count", time: "_time") |> count() |> yield(name: "event_count")
total_energy = rows(field: "energy_consumption") |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
total_energy |> store(field: "total_energy", time: "_time") |> count() |> yield(name: "total_energy")
rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: mean, createEmpty: false, timeSrc: "_start")
    |> store(field: "avg_value", time: "_time") |> count() |> yield(name: "avg_value")
