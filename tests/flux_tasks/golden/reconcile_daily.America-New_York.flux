import "contrib/tomhollingworth/events"
import "date"
import "timezone"

option task = {
    name: "reconcile_daily",
    every: 1h,
    offset: 40m,
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

day_over_time = (since, start, stop) => {
    // The last row of each class before the day, as if it ended where the day begins, and the rows of the day.
    rows =
        union(
            tables: [
                classed(field: "last_holds", start: since, stop: start) |> last() |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_stop", "_time", "_value"]) |> duplicate(column: "_stop", as: "at") |> timeShift(duration: -1h, columns: ["at"]) |> set(key: "inside", value: "no"),
                classless(field: "last_holds", start: since, stop: start) |> last() |> group() |> keep(columns: ["entity_id", "domain", "_stop", "_time", "_value"]) |> set(key: "device_class", value: "-") |> duplicate(column: "_stop", as: "at") |> timeShift(duration: -1h, columns: ["at"]) |> set(key: "inside", value: "no"),
                classed(field: "last_holds", start: start, stop: stop) |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"]) |> duplicate(column: "_time", as: "at") |> set(key: "inside", value: "yes"),
                classless(field: "last_holds", start: start, stop: stop) |> group() |> keep(columns: ["entity_id", "domain", "_time", "_value"]) |> set(key: "device_class", value: "-") |> duplicate(column: "_time", as: "at") |> set(key: "inside", value: "yes"),
            ],
        )
            |> set(key: "kind", value: "1 row")
    // Of rows that begin at the same hour, at most one holds: it counts as the last.
    sorted =
        union(
            tables: [
                rows,
                rows |> unique(column: "entity_id") |> keep(columns: ["entity_id"]) |> map(fn: (r) => ({r with _time: stop, at: stop})) |> set(key: "kind", value: "2 end"),
            ],
        )
            |> sort(columns: ["entity_id", "_time", "kind", "_value"])
            |> fill(column: "_value", usePrevious: true)
            |> fill(column: "inside", usePrevious: true)
            |> fill(column: "domain", usePrevious: true)
            |> fill(column: "device_class", usePrevious: true)
            // `duration` counts in floats, which are exact for nanoseconds from `stop` on.
            |> duplicate(column: "at", as: "from_stop")
            |> timeShift(duration: duration(v: -int(v: stop)), columns: ["from_stop"])
            |> events.duration(unit: 1ns, timeColumn: "from_stop", columnName: "ns", stop: stop)
            |> map(fn: (r) => ({r with seconds: float(v: r.ns) / 1000000000.0 - 3600.0}))
            |> map(
                fn: (r) =>
                    ({r with
                        gap: r.kind == "1 row" and r._value == 1.0 and r.seconds > 0.0,
                        end: r.kind == "2 end" and r._value == 1.0 and r.inside == "yes",
                    }),
            )
    values =
        union(
            tables: [
                classed(field: "last_value", start: since, stop: start) |> last() |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"]),
                classless(field: "last_value", start: since, stop: start) |> last() |> group() |> keep(columns: ["entity_id", "domain", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                classed(field: "last_value", start: start, stop: stop) |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"]),
                classless(field: "last_value", start: start, stop: stop) |> group() |> keep(columns: ["entity_id", "domain", "_time", "_value"]) |> set(key: "device_class", value: "-"),
            ],
        )
    // What held in the hours without a row: the value of the row before.
    held =
        union(
            tables: [
                values |> duplicate(column: "_value", as: "other") |> map(fn: (r) => ({r with seconds: 0.0})) |> set(key: "side", value: "0 value"),
                sorted |> filter(fn: (r) => r.gap) |> keep(columns: ["entity_id", "domain", "device_class", "_time", "seconds"]) |> set(key: "side", value: "1 gap"),
            ],
        )
            |> sort(columns: ["entity_id", "domain", "device_class", "_time", "side"])
            |> fill(column: "other", usePrevious: true)
            |> filter(fn: (r) => r.seconds > 0.0)
            |> map(fn: (r) => ({r with area: r.other * r.seconds, on: if r.other == 1.0 then r.seconds else 0.0}))
    part = (column, field) => held |> duplicate(column: column, as: "_value") |> keep(columns: ["entity_id", "domain", "device_class", "_value"]) |> set(key: "_field", value: field)
    // Beside it, what held in the first part of hours in which the entity spoke under another class only.
    more =
        union(
            tables: [
                union(
                    tables: [
                        from(bucket: "events_hourly")
                            |> range(start: start, stop: stop)
                            |> filter(
                                fn: (r) =>
                                    r._measurement == "hourly_carried" and exists r.entity_id and exists r.domain and exists r.device_class and (r._field == "value_seconds" or r._field == "covered_seconds" or r._field == "on_seconds"),
                            )
                            |> sum()
                            |> group()
                            |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"]),
                        from(bucket: "events_hourly")
                            |> range(start: start, stop: stop)
                            |> filter(
                                fn: (r) =>
                                    r._measurement == "hourly_carried" and exists r.entity_id and exists r.domain and not exists r.device_class and (r._field == "value_seconds" or r._field == "covered_seconds" or r._field == "on_seconds"),
                            )
                            |> sum()
                            |> group()
                            |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"])
                            |> set(key: "device_class", value: "-"),
                    ],
                ),
                part(column: "area", field: "value_seconds"),
                part(column: "seconds", field: "covered_seconds"),
                part(column: "on", field: "on_seconds"),
            ],
        )
            |> group(columns: ["entity_id", "domain", "device_class", "_field"])
            |> sum()
            |> group()
            |> map(fn: (r) => ({r with _start: start}))

    totals =
        union(
            tables: [
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and exists r.device_class and (r._field == "value_seconds" or r._field == "covered_seconds" or r._field == "on_seconds" or r._field == "increase"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"]),
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_events" and exists r.entity_id and exists r.domain and not exists r.device_class and (r._field == "value_seconds" or r._field == "covered_seconds" or r._field == "on_seconds" or r._field == "increase"),
                    )
                    |> sum()
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_field", "_value"])
                    |> set(key: "device_class", value: "-"),
            ],
        )
            |> group(columns: ["_field"])
            |> beside(those: more |> group(columns: ["_field"]))
            |> group()
            |> map(fn: (r) => ({r with _value: r._value + r.other}))
            |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value", "_field"])
    covered = totals |> map(fn: (r) => ({r with wanted: r._field == "covered_seconds"})) |> filter(fn: (r) => r.wanted) |> drop(columns: ["_field", "wanted"])
    holds =
        union(
            tables: [
                sorted |> filter(fn: (r) => r.end) |> keep(columns: ["entity_id", "domain", "device_class"]) |> map(fn: (r) => ({r with _start: start, _value: 1.0})),
                covered |> map(fn: (r) => ({r with _value: 0.0})),
            ],
        )
            |> group(columns: ["domain", "device_class"])
            |> sort(columns: ["_value"], desc: true)
            |> unique(column: "entity_id")

    return
        union(
            tables: [
                totals,
                ratio(of: totals |> map(fn: (r) => ({r with wanted: r._field == "value_seconds"})) |> filter(fn: (r) => r.wanted) |> drop(columns: ["_field", "wanted"]), by: covered) |> named(field: "time_weighted_avg"),
                holds |> named(field: "last_holds"),
                union(
                    tables: [
                        classed(field: "first_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_time", "_value"]),
                        classless(field: "first_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                    ],
                )
                    |> sort(columns: ["_time"])
                    |> unique(column: "entity_id")
                    |> named(field: "first_value"),
                union(
                    tables: [
                        classed(field: "last_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_time", "_value"]),
                        classless(field: "last_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                    ],
                )
                    |> sort(columns: ["_time"], desc: true)
                    |> unique(column: "entity_id")
                    |> named(field: "last_value"),
            ],
        )
            |> put()
}

day0 = day_of(moment: now())
day1 = day_before(day: day0)
day2 = day_before(day: day1)

day(start: day1, stop: day0) |> yield(name: "day 1")
day_over_time(since: held_since(day: day1), start: day1, stop: day0) |> yield(name: "day 1 over time")
day(start: day2, stop: day1) |> yield(name: "day 2")
day_over_time(since: held_since(day: day2), start: day2, stop: day1) |> yield(name: "day 2 over time")
