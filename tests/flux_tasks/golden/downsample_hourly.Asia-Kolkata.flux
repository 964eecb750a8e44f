import "date"
import "timezone"

option task = {
    name: "downsample_hourly",
    every: 1h,
    offset: 5m,
}

classed = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and exists r.device_class)
classless = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and not exists r.device_class)

write = (tables=<-) => {
    sorted =
        tables
            |> map(fn: (r) => ({r with has_class: r.device_class != "-", has_none: r.device_class == "-"}))
            // `to` makes the series key of the tags in the order of the columns, without sorting: in another order the same
            // tags would be another series beside the first. Columns that are made anew stand in the order they are made in.
            |> duplicate(column: "device_class", as: "tag_device_class")
            |> duplicate(column: "domain", as: "tag_domain")
            |> duplicate(column: "entity_id", as: "tag_entity_id")
            |> drop(columns: ["device_class", "domain", "entity_id"])
            |> rename(columns: {tag_device_class: "device_class", tag_domain: "domain", tag_entity_id: "entity_id"})
    with_class = sorted |> filter(fn: (r) => r.has_class) |> to(bucket: "events_hourly", tagColumns: ["entity_id", "domain", "device_class"])
    without =
        sorted
            |> filter(fn: (r) => r.has_none)
            |> drop(columns: ["device_class"])
            |> to(bucket: "events_hourly", tagColumns: ["entity_id", "domain"])

    return union(tables: [with_class |> keep(columns: ["_field"]), without |> keep(columns: ["_field"])]) |> count(column: "_field")
}

// What a field is called and, of all fields of a kind, its writing: as one table, as `to` costs by the table.
named = (field, tables=<-) =>
    tables
        |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value"])
        |> group()
        |> set(key: "_field", value: field)
put = (measurement="hourly_events", tables=<-) =>
    tables
        |> rename(columns: {_start: "_time"})
        |> set(key: "_measurement", value: measurement)
        |> write()

aggregates = (start, stop) => {
    read1 = classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value"])
    read1_classless = classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_value"])
    min_value =
        union(tables: [read1 |> min() |> group(), read1_classless |> min() |> group() |> set(key: "device_class", value: "-")])
    max_value =
        union(tables: [read1 |> max() |> group(), read1_classless |> max() |> group() |> set(key: "device_class", value: "-")])
    sum_value =
        union(tables: [read1 |> sum() |> group(), read1_classless |> sum() |> group() |> set(key: "device_class", value: "-")])
    value_count =
        union(tables: [read1 |> count() |> group(), read1_classless |> count() |> group() |> set(key: "device_class", value: "-")])
    event_count =
        union(
            tables: [
                classed(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> count(),
                classless(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> count() |> set(key: "device_class", value: "-"),
            ],
        )
            |> group()
    total_energy =
        union(
            tables: [
                classed(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
            |> group()
    avg_value =
        union(tables: [read1 |> mean() |> group(), read1_classless |> mean() |> group() |> set(key: "device_class", value: "-")])

    return
        union(
            tables: [
                union(
                    tables: [
                        avg_value |> named(field: "avg_value"),
                        min_value |> named(field: "min_value"),
                        max_value |> named(field: "max_value"),
                        sum_value |> named(field: "sum_value"),
                        total_energy |> named(field: "total_energy"),
                    ],
                )
                    |> put(),
                union(
                    tables: [
                        event_count |> named(field: "event_count"),
                        value_count |> named(field: "value_count"),
                    ],
                )
                    |> put(),
            ],
        )
}

// The last whole window before the scheduled time, with explicit bounds.
stop = date.truncate(t: now(), unit: 1h)
start = date.sub(d: 1h, from: stop)

aggregates(start: start, stop: stop)
