import "date"
import "timezone"

option task = {
    name: "downsample_daily",
    cron: "0 5 * * *",
    offset: 15m,
}

option location = timezone.location(name: "America/New_York")

// The last whole window before the scheduled time, with explicit bounds.
stop = date.truncate(t: now(), unit: 1d)
start = date.sub(d: 1d, from: stop)

rows = (field) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field)
        |> group(columns: ["entity_id", "domain", "device_class"])

store = (field, time, tables=<-) =>
    tables
        |> group()
        |> set(key: "_measurement", value: "daily_events")
        |> set(key: "_field", value: field)
        |> to(
            bucket: "events_daily",
            timeColumn: time,
            tagColumns: ["entity_id", "domain", "device_class"],
        )

min_value = rows(field: "normalized_value") |> min()
min_value |> store(field: "min_value", time: "_start")
max_value = rows(field: "normalized_value") |> max()
max_value |> store(field: "max_value", time: "_start")
sum_value = rows(field: "normalized_value") |> sum()
sum_value |> store(field: "sum_value", time: "_start")
value_count = rows(field: "normalized_value") |> count()
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
