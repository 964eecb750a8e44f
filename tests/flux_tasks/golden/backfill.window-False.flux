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
            timeColumn: "_start",
            tagColumns: ["entity_id", "domain", "device_class"],
        )

rows(field: "normalized_value") |> mean() |> store(field: "avg_value") |> group() |> count() |> yield(name: "avg_value")
rows(field: "normalized_value") |> min() |> store(field: "min_value") |> group() |> count() |> yield(name: "min_value")
rows(field: "normalized_value") |> max() |> store(field: "max_value") |> group() |> count() |> yield(name: "max_value")
rows(field: "normalized_value") |> sum() |> store(field: "sum_value") |> group() |> count() |> yield(name: "sum_value")
rows(field: "normalized_value") |> count() |> store(field: "value_count") |> group() |> count() |> yield(name: "value_count")
rows(field: "state_value") |> count() |> store(field: "event_count") |> group() |> count() |> yield(name: "event_count")
rows(field: "energy_consumption") |> sum() |> store(field: "total_energy") |> group() |> count() |> yield(name: "total_energy")
