import "contrib/tomhollingworth/events"
import "date"

option task = {
    name: "reconcile_daily",
    every: 1h,
    offset: 40m,
}


day_of = (moment) => date.truncate(t: moment, unit: 1d)
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

rows_of = (tables=<-) => tables |> keep(columns: ["_field", "_value"]) |> group(columns: ["_field"]) |> count()
write = (tables=<-) => {
    // `to` makes the series key of the tags in the order of the columns, without sorting: in another order the same tags
    // would be another series beside the first. Columns that are made anew stand in the order they are made in.
    sorted =
        tables
            |> duplicate(column: "device_class", as: "tag_device_class")
            |> duplicate(column: "domain", as: "tag_domain")
            |> duplicate(column: "entity_id", as: "tag_entity_id")
            |> drop(columns: ["device_class", "domain", "entity_id"])
            |> rename(columns: {tag_device_class: "device_class", tag_domain: "domain", tag_entity_id: "entity_id"})
    with_class = sorted |> filter(fn: (r) => r.device_class != "-") |> to(bucket: "events_daily", tagColumns: ["entity_id", "domain", "device_class"])
    without =
        sorted
            |> filter(fn: (r) => r.device_class == "-")
            |> drop(columns: ["device_class"])
            |> to(bucket: "events_daily", tagColumns: ["entity_id", "domain"])

    return union(tables: [with_class |> rows_of(), without |> rows_of()])
}

// One table: with one per series and window `to` takes several times as long.
put = (field, tables=<-) =>
    tables
        |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value"])
        |> group()
        |> rename(columns: {_start: "_time"})
        |> set(key: "_measurement", value: "daily_events")
        |> set(key: "_field", value: field)
        |> write()

day = (since, start, stop) => {
    // Rows of the day, and of each class the last one before it: `holds` is in every row of an entity that spoke.
    ends =
        union(
            tables: [
                union(
                    tables: [
                        classed(field: "last_holds", start: since, stop: start) |> group(columns: ["entity_id", "domain", "device_class"]) |> last(),
                        classless(field: "last_holds", start: since, stop: start) |> group(columns: ["entity_id", "domain"]) |> last() |> set(key: "device_class", value: "-"),
                    ],
                ),
                union(
                    tables: [
                        classed(field: "last_holds", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]),
                        classless(field: "last_holds", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> set(key: "device_class", value: "-"),
                    ],
                ),
            ],
        )
            |> group(columns: ["entity_id"])
    rows = ends |> range(start: start, stop: stop)
    values =
        union(
            tables: [
                union(
                    tables: [
                        classed(field: "last_value", start: since, stop: start) |> group(columns: ["entity_id", "domain", "device_class"]) |> last(),
                        classless(field: "last_value", start: since, stop: start) |> group(columns: ["entity_id", "domain"]) |> last() |> set(key: "device_class", value: "-"),
                    ],
                ),
                union(
                    tables: [
                        classed(field: "last_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]),
                        classless(field: "last_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> set(key: "device_class", value: "-"),
                    ],
                ),
            ],
        )
            |> group(columns: ["entity_id"])
    // The value of a row that holds at its end, else no value.
    points =
        union(
            tables: [
                ends |> filter(fn: (r) => r._value != 1.0) |> drop(columns: ["_value"]) |> set(key: "kind", value: "2 unknown"),
                union(
                    tables: [
                        ends |> filter(fn: (r) => r._value == 1.0) |> drop(columns: ["_value"]) |> set(key: "holds", value: "yes"),
                        values |> set(key: "holds", value: "value"),
                    ],
                )
                    |> group(columns: ["entity_id"])
                    // The value of each row, and just behind it that it holds.
                    |> sort(columns: ["_time", "domain", "device_class", "holds"])
                    |> fill(column: "_value", usePrevious: true)
                    |> filter(fn: (r) => r.holds == "yes")
                    |> set(key: "kind", value: "3 number"),
            ],
        )
            |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value", "kind"])
            |> group(columns: ["entity_id"])
            |> timeShift(duration: 1h, columns: ["_time"])
            |> duplicate(column: "kind", as: "holds")
    marks =
        union(
            tables: [
                rows
                    |> limit(n: 1)
                    |> drop(columns: ["_time"])
                    |> duplicate(column: "_start", as: "_time")
                    |> set(key: "kind", value: "4 start")
                    |> keep(columns: ["entity_id", "_time", "kind"]),
                rows
                    |> set(key: "kind", value: "5 row")
                    |> set(key: "holds", value: "5 row")
                    |> keep(columns: ["entity_id", "_time", "kind", "holds"]),
            ],
        )
    held =
        union(tables: [points, marks])
            |> sort(columns: ["_time", "kind", "_value"])
            |> fill(column: "holds", usePrevious: true)
            |> fill(column: "_value", usePrevious: true)
            |> fill(column: "domain", usePrevious: true)
            |> fill(column: "device_class", usePrevious: true)
            |> events.duration(unit: 1ns, columnName: "ns", stop: stop)
            |> filter(fn: (r) => r.holds == "3 number" and r.ns > 0)
            |> range(start: start, stop: stop)
            |> map(fn: (r) => ({r with area: r._value * float(v: r.ns) / 1000000000.0, seconds: float(v: r.ns) / 1000000000.0}))
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])
    min_value =
        union(
            tables: [
                classed(field: "min_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> min(),
                classless(field: "min_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> min() |> set(key: "device_class", value: "-"),
            ],
        )
    max_value =
        union(
            tables: [
                classed(field: "max_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> max(),
                classless(field: "max_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> max() |> set(key: "device_class", value: "-"),
            ],
        )
    event_count =
        union(
            tables: [
                classed(field: "event_count", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "event_count", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
    sum_value =
        union(
            tables: [
                classed(field: "sum_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "sum_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
    value_count =
        union(
            tables: [
                classed(field: "value_count", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "value_count", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
    total_energy =
        union(
            tables: [
                classed(field: "total_energy", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "total_energy", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
    avg_value =
        union(
            tables: [
                sum_value |> set(key: "name", value: "sum"),
                value_count |> toFloat() |> set(key: "name", value: "count"),
            ],
        )
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])
            // Not `pivot`: it leaves columns shorter than the table, over which what follows panics.
            |> reduce(
                identity: {sum: 0.0, count: 0.0},
                fn: (r, accumulator) =>
                    ({
                        sum: if r.name == "sum" then r._value else accumulator.sum,
                        count: if r.name == "count" then r._value else accumulator.count,
                    }),
            )
            |> group()
            |> map(fn: (r) => ({r with _value: r.sum / r.count}))
    sums =
        union(
            tables: [
                rows |> group(columns: ["entity_id", "domain", "device_class", "_start"]) |> limit(n: 1) |> drop(columns: ["_value"]) |> set(key: "name", value: "said"),
                rows
                    |> sort(columns: ["_time", "_value"])
                    |> tail(n: 1)
                    |> filter(fn: (r) => r._value == 1.0)
                    |> rename(columns: {_value: "number"}) |> set(key: "name", value: "ends"),
                union(
                    tables: [
                        classed(field: "value_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                        classless(field: "value_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
                    ],
                ) |> rename(columns: {_value: "number"}) |> set(key: "name", value: "area"),
                union(
                    tables: [
                        classed(field: "covered_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                        classless(field: "covered_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
                    ],
                ) |> rename(columns: {_value: "number"}) |> set(key: "name", value: "seconds"),
                union(
                    tables: [
                        classed(field: "on_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                        classless(field: "on_seconds", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
                    ],
                ) |> rename(columns: {_value: "number"}) |> set(key: "name", value: "on"),
                held |> sum(column: "area") |> rename(columns: {area: "number"}) |> set(key: "name", value: "area"),
                held |> sum(column: "seconds") |> rename(columns: {seconds: "number"}) |> set(key: "name", value: "seconds"),
                held |> filter(fn: (r) => r._value == 1.0) |> sum(column: "seconds") |> rename(columns: {seconds: "number"}) |> set(key: "name", value: "on"),
            ],
        )
            |> keep(columns: ["entity_id", "domain", "device_class", "_start", "name", "number"])
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])
            |> reduce(
                identity: {said: false, holds: 0.0, area: 0.0, seconds: 0.0, on: 0.0},
                fn: (r, accumulator) =>
                    ({
                        said: accumulator.said or r.name == "said",
                        holds: if r.name == "ends" then 1.0 else accumulator.holds,
                        area: if r.name == "area" then accumulator.area + r.number else accumulator.area,
                        seconds: if r.name == "seconds" then accumulator.seconds + r.number else accumulator.seconds,
                        on: if r.name == "on" then accumulator.on + r.number else accumulator.on,
                    }),
            )
            |> group()
            |> filter(fn: (r) => r.said)

    return
        union(
            tables: [
                avg_value |> put(field: "avg_value"),
                min_value |> put(field: "min_value"),
                max_value |> put(field: "max_value"),
                event_count |> put(field: "event_count"),
                sum_value |> put(field: "sum_value"),
                value_count |> put(field: "value_count"),
                total_energy |> put(field: "total_energy"),
                union(
                    tables: [
                        classed(field: "increase", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                        classless(field: "increase", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
                    ],
                ) |> put(field: "increase"),
                union(
                    tables: [
                        classed(field: "first_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> first(),
                        classless(field: "first_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> first() |> set(key: "device_class", value: "-"),
                    ],
                ) |> put(field: "first_value"),
                union(
                    tables: [
                        classed(field: "last_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> last(),
                        classless(field: "last_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> last() |> set(key: "device_class", value: "-"),
                    ],
                ) |> put(field: "last_value"),
                sums |> map(fn: (r) => ({r with _value: r.area})) |> put(field: "value_seconds"),
                sums |> map(fn: (r) => ({r with _value: r.seconds})) |> put(field: "covered_seconds"),
                sums
                    |> filter(fn: (r) => r.seconds > 0.0)
                    |> map(fn: (r) => ({r with _value: r.area / r.seconds}))
                    |> put(field: "time_weighted_avg"),
                sums
                    |> filter(fn: (r) => r.domain != "counter" and r.domain != "input_number" and r.domain != "number" and r.domain != "sensor" and r.domain != "zone")
                    |> map(fn: (r) => ({r with _value: r.on}))
                    |> put(field: "on_seconds"),
                sums |> map(fn: (r) => ({r with _value: r.holds})) |> put(field: "last_holds"),
            ],
        )
}

day0 = day_of(moment: now())
day1 = day_before(day: day0)
day2 = day_before(day: day1)

day(since: held_since(day: day1), start: day1, stop: day0) |> yield(name: "day 1")
day(since: held_since(day: day2), start: day2, stop: day1) |> yield(name: "day 2")
