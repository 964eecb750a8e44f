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

read1 = rows(field: "normalized_value")
min_value = read1 |> min()
min_value |> store(field: "min_value", time: "_start")
max_value = read1 |> max()
max_value |> store(field: "max_value", time: "_start")
sum_value = read1 |> sum()
sum_value |> store(field: "sum_value", time: "_start")
value_count = read1 |> count()
value_count |> store(field: "value_count", time: "_start")
event_count = rows(field: "state_value") |> count()
event_count |> store(field: "event_count", time: "_start")
total_energy = rows(field: "energy_consumption") |> sum()
total_energy |> store(field: "total_energy", time: "_start")
union(tables: [sum_value |> set(key: "_field", value: "sum"), value_count |> toFloat() |> set(key: "_field", value: "count")])
    |> group(columns: ["entity_id", "domain", "device_class"])
    |> pivot(rowKey: ["_start"], columnKey: ["_field"], valueColumn: "_value")
    |> map(fn: (r) => ({r with _value: r.sum / r.count}))
    |> drop(columns: ["sum", "count"])
    |> store(field: "avg_value", time: "_start")
