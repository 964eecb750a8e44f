start = 2026-03-01T00:00:00Z
stop = 2026-03-02T00:00:00Z

rows = (field) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field)
        |> group(columns: ["entity_id", "domain", "device_class"])

store = (field, tables=<-) =>
    tables
        |> set(key: "_measurement", value: "hourly_events")
        |> set(key: "_field", value: field)
        |> to(
            bucket: "events_hourly",
            timeColumn: "_time",
            tagColumns: ["entity_id", "domain", "device_class"],
        )

rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: mean, createEmpty: false, timeSrc: "_start") |> store(field: "avg_value") |> group() |> count() |> yield(name: "avg_value")
rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: min, createEmpty: false, timeSrc: "_start") |> store(field: "min_value") |> group() |> count() |> yield(name: "min_value")
rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: max, createEmpty: false, timeSrc: "_start") |> store(field: "max_value") |> group() |> count() |> yield(name: "max_value")
rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> store(field: "sum_value") |> group() |> count() |> yield(name: "sum_value")
rows(field: "normalized_value") |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> store(field: "value_count") |> group() |> count() |> yield(name: "value_count")
rows(field: "state_value") |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> store(field: "event_count") |> group() |> count() |> yield(name: "event_count")
rows(field: "energy_consumption") |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> store(field: "total_energy") |> group() |> count() |> yield(name: "total_energy")
