classed = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and exists r.device_class)
classless = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and not exists r.device_class)

beside = (those, tables=<-) =>
    union(
        tables: [
            those
                |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"])
                |> rename(columns: {_value: "other"})
                |> set(key: "side", value: "0 those")
                |> duplicate(column: "entity_id", as: "of_entity_id")
                |> duplicate(column: "domain", as: "of_domain")
                |> duplicate(column: "device_class", as: "of_device_class"),
            tables |> set(key: "side", value: "1 tables"),
        ],
    )
        |> sort(columns: ["entity_id", "domain", "device_class", "_start", "side"])
        |> fill(column: "other", usePrevious: true)
        |> fill(column: "other", value: 0.0)
        |> fill(column: "of_entity_id", usePrevious: true)
        |> fill(column: "of_entity_id", value: "")
        |> fill(column: "of_domain", usePrevious: true)
        |> fill(column: "of_domain", value: "")
        |> fill(column: "of_device_class", usePrevious: true)
        |> fill(column: "of_device_class", value: "")
        |> map(
            fn: (r) =>
                ({r with
                    asked: r.side == "1 tables",
                    found: r.entity_id == r.of_entity_id and r.domain == r.of_domain and r.device_class == r.of_device_class,
                }),
        )
        |> filter(fn: (r) => r.asked)
        |> map(fn: (r) => ({r with other: if r.found then r.other else 0.0}))
        |> drop(columns: ["side", "asked", "of_entity_id", "of_domain", "of_device_class"])
ratio = (of, by) =>
    of |> beside(those: by) |> filter(fn: (r) => r.other > 0.0) |> map(fn: (r) => ({r with _value: r._value / r.other}))

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
    read1 = classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"])
    read1_hours =
        classed(field: "normalized_value", start: start, stop: stop)
            |> group(columns: ["domain", "device_class"])
            |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"])
            |> window(every: 1h)
    read1_classless = classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"])
    read1_hours_classless =
        classless(field: "normalized_value", start: start, stop: stop)
            |> group(columns: ["domain"])
            |> keep(columns: ["entity_id", "domain", "_time", "_value"])
            |> window(every: 1h)
    min_value =
        union(tables: [read1_hours |> sort(columns: ["_value"]) |> unique(column: "entity_id") |> group(), read1_hours_classless |> sort(columns: ["_value"]) |> unique(column: "entity_id") |> group() |> set(key: "device_class", value: "-")])
    max_value =
        union(tables: [read1_hours |> sort(columns: ["_value"], desc: true) |> unique(column: "entity_id") |> group(), read1_hours_classless |> sort(columns: ["_value"], desc: true) |> unique(column: "entity_id") |> group() |> set(key: "device_class", value: "-")])
    sum_value =
        union(tables: [read1 |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> group(), read1_classless |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> group() |> set(key: "device_class", value: "-")])
            |> drop(columns: ["_start"])
            |> rename(columns: {_time: "_start"})
    value_count =
        union(tables: [read1 |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> group(), read1_classless |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> group() |> set(key: "device_class", value: "-")])
            |> drop(columns: ["_start"])
            |> rename(columns: {_time: "_start"})
    read2 = classed(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"])
    read2_classless = classless(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"])
    event_count =
        union(tables: [read2 |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> group(), read2_classless |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> group() |> set(key: "device_class", value: "-")])
            |> drop(columns: ["_start"])
            |> rename(columns: {_time: "_start"})
    read3 = classed(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"])
    read3_classless = classless(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain"])
    total_energy =
        union(tables: [read3 |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> group(), read3_classless |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> group() |> set(key: "device_class", value: "-")])
            |> drop(columns: ["_start"])
            |> rename(columns: {_time: "_start"})
    avg_value = ratio(of: sum_value |> group(columns: ["_start"]), by: value_count |> group(columns: ["_start"]) |> map(fn: (r) => ({r with _value: float(v: r._value)})))

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

aggregates(start: 2026-03-01T00:00:00Z, stop: 2026-03-02T00:00:00Z)
