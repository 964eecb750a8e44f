import "date"

option task = {
    name: "downsample_hourly",
    every: 1h,
    offset: 5m,
}

// The last whole window before the scheduled time, with explicit bounds.
stop = date.truncate(t: now(), unit: 1h)
start = date.sub(d: 1h, from: stop)

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

min_value = rows(field: "normalized_value") |> min()
min_value |> store(field: "min_value")
max_value = rows(field: "normalized_value") |> max()
max_value |> store(field: "max_value")
sum_value = rows(field: "normalized_value") |> sum()
sum_value |> store(field: "sum_value")
value_count = rows(field: "normalized_value") |> count()
value_count |> store(field: "value_count")
event_count = rows(field: "state_value") |> count()
event_count |> store(field: "event_count")
total_energy = rows(field: "energy_consumption") |> sum()
total_energy |> store(field: "total_energy")
union(tables: [sum_value |> set(key: "_field", value: "sum"), value_count |> toFloat() |> set(key: "_field", value: "count")])
    |> group(columns: ["entity_id", "domain", "device_class"])
    |> pivot(rowKey: ["_start"], columnKey: ["_field"], valueColumn: "_value")
    |> map(fn: (r) => ({r with _value: r.sum / r.count}))
    |> drop(columns: ["sum", "count"])
    |> store(field: "avg_value")
