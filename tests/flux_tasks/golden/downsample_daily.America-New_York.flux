import "date"
import "timezone"

option task = {
    name: "downsample_daily",
    cron: "0 5 * * *",
    offset: 15m,
}


home = timezone.location(name: "America/New_York")
day_of = (moment) => date.truncate(t: moment, unit: 1d, location: home)
day_before = (day) => day_of(moment: date.sub(d: 12h, from: day))
held_since = (day) => day_of(moment: date.sub(d: 156h, from: day))

classed = (field, start, stop) =>
    from(bucket: "events_hourly")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "hourly_events" and r._field == field and exists r.entity_id and exists r.domain and exists r.device_class)
classless = (field, start, stop) =>
    from(bucket: "events_hourly")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "hourly_events" and r._field == field and exists r.entity_id and exists r.domain and not exists r.device_class)

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
    with_class = sorted |> filter(fn: (r) => r.has_class) |> to(bucket: "events_daily", tagColumns: ["entity_id", "domain", "device_class"])
    without =
        sorted
            |> filter(fn: (r) => r.has_none)
            |> drop(columns: ["device_class"])
            |> to(bucket: "events_daily", tagColumns: ["entity_id", "domain"])

    return union(tables: [with_class |> keep(columns: ["_field"]), without |> keep(columns: ["_field"])]) |> count(column: "_field")
}

// What a field is called and, of all fields of a kind, its writing: as one table, as `to` costs by the table.
named = (field, tables=<-) =>
    tables
        |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value"])
        |> group()
        |> set(key: "_field", value: field)
put = (measurement="daily_events", tables=<-) =>
    tables
        |> rename(columns: {_start: "_time"})
        |> set(key: "_measurement", value: measurement)
        |> write()

day = (start, stop) => {
    counts =
        union(
            tables: [
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and exists r.device_class and (r._field == "event_count" or r._field == "value_count"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"]),
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and not exists r.device_class and (r._field == "event_count" or r._field == "value_count"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"])
                    |> set(key: "device_class", value: "-"),
            ],
        )
    totals =
        union(
            tables: [
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and exists r.device_class and (r._field == "sum_value" or r._field == "total_energy"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"]),
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and not exists r.device_class and (r._field == "sum_value" or r._field == "total_energy"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"])
                    |> set(key: "device_class", value: "-"),
            ],
        )

    return
        union(
            tables: [
                counts |> put(),
                union(
                    tables: [
                        totals,
                        ratio(
                            of: totals |> map(fn: (r) => ({r with wanted: r._field == "sum_value"})) |> filter(fn: (r) => r.wanted) |> drop(columns: ["_field", "wanted"]),
                            by: counts |> map(fn: (r) => ({r with wanted: r._field == "value_count"})) |> filter(fn: (r) => r.wanted) |> drop(columns: ["_field", "wanted"]) |> map(fn: (r) => ({r with _value: float(v: r._value)})),
                        )
                            |> named(field: "avg_value"),
                        union(
                            tables: [
                                classed(field: "min_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_time", "_value"]),
                                classless(field: "min_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                            ],
                        )
                            |> sort(columns: ["_value"])
                            |> unique(column: "entity_id")
                            |> named(field: "min_value"),
                        union(
                            tables: [
                                classed(field: "max_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_time", "_value"]),
                                classless(field: "max_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                            ],
                        )
                            |> sort(columns: ["_value"], desc: true)
                            |> unique(column: "entity_id")
                            |> named(field: "max_value"),
                    ],
                )
                    |> put(),
            ],
        )
}

// The last whole window before the scheduled time, with explicit bounds.
stop = day_of(moment: now())
start = day_before(day: stop)

day(start: start, stop: stop)
