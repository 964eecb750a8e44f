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
        |> set(key: "_measurement", value: "hourly_events")
        |> set(key: "_field", value: field)
        |> to(
            bucket: "events_hourly",
            timeColumn: "_start",
            tagColumns: ["entity_id", "domain", "device_class"],
        )

rows(field: "normalized_value") |> mean() |> store(field: "avg_value")
rows(field: "normalized_value") |> min() |> store(field: "min_value")
rows(field: "normalized_value") |> max() |> store(field: "max_value")
rows(field: "normalized_value") |> sum() |> store(field: "sum_value")
rows(field: "normalized_value") |> count() |> store(field: "value_count")
rows(field: "state_value") |> count() |> store(field: "event_count")
rows(field: "energy_consumption") |> sum() |> store(field: "total_energy")
