start = 2026-03-01T00:00:00Z
stop = 2026-03-02T00:00:00Z

rows = (field) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field)
        |> group(columns: ["entity_id", "domain", "device_class"])

store = (field, tables=<-) =>
    tables
        |> group()
        |> set(key: "_measurement", value: "hourly_events")
        |> set(key: "_field", value: field)
        |> to(
            bucket: "events_hourly",
            timeColumn: "_start",
            tagColumns: ["entity_id", "domain", "device_class"],
        )

windows1 = rows(field: "normalized_value") |> window(every: 1h)
min_value = windows1 |> min()
min_value |> store(field: "min_value") |> count() |> yield(name: "min_value")
max_value = windows1 |> max()
max_value |> store(field: "max_value") |> count() |> yield(name: "max_value")
sum_value = windows1 |> sum()
sum_value |> store(field: "sum_value") |> count() |> yield(name: "sum_value")
value_count = windows1 |> count()
value_count |> store(field: "value_count") |> count() |> yield(name: "value_count")
windows2 = rows(field: "state_value") |> window(every: 1h)
event_count = windows2 |> count()
event_count |> store(field: "event_count") |> count() |> yield(name: "event_count")
windows3 = rows(field: "energy_consumption") |> window(every: 1h)
total_energy = windows3 |> sum()
total_energy |> store(field: "total_energy") |> count() |> yield(name: "total_energy")
union(tables: [sum_value |> set(key: "_field", value: "sum"), value_count |> toFloat() |> set(key: "_field", value: "count")])
    |> group(columns: ["entity_id", "domain", "device_class"])
    |> pivot(rowKey: ["_start"], columnKey: ["_field"], valueColumn: "_value")
    |> map(fn: (r) => ({r with _value: r.sum / r.count}))
    |> drop(columns: ["sum", "count"])
    |> store(field: "avg_value") |> count() |> yield(name: "avg_value")
