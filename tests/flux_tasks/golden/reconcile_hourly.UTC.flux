import "date"
import "math"

option task = {
    name: "reconcile_hourly",
    every: 1h,
    offset: 25m,
}


day_of = (moment) => date.truncate(t: moment, unit: 1d)
day_before = (day) => day_of(moment: date.sub(d: 12h, from: day))
held_since = (day) => day_of(moment: date.sub(d: 156h, from: day))

classed = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and exists r.device_class)
classless = (field, start, stop) =>
    from(bucket: "events")
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain and not exists r.device_class)

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
    with_class = sorted |> filter(fn: (r) => r.device_class != "-") |> to(bucket: "events_hourly", tagColumns: ["entity_id", "domain", "device_class"])
    without =
        sorted
            |> filter(fn: (r) => r.device_class == "-")
            |> drop(columns: ["device_class"])
            |> to(bucket: "events_hourly", tagColumns: ["entity_id", "domain"])

    return union(tables: [with_class |> rows_of(), without |> rows_of()])
}

// One table: with one per series and window `to` takes several times as long.
put = (field, tables=<-) =>
    tables
        |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value"])
        |> group()
        |> rename(columns: {_start: "_time"})
        |> set(key: "_measurement", value: "hourly_events")
        |> set(key: "_field", value: field)
        |> write()

aggregates = (start, stop) => {
    read1 = classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> window(every: 1h)
    read1_classless = classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> window(every: 1h)
    avg_value =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> aggregateWindow(every: 1h, fn: mean, createEmpty: false, timeSrc: "_start"),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> aggregateWindow(every: 1h, fn: mean, createEmpty: false, timeSrc: "_start") |> set(key: "device_class", value: "-"),
            ],
        )
                |> drop(columns: ["_start"])
                |> rename(columns: {_time: "_start"})
    min_value =
        union(tables: [read1 |> min(), read1_classless |> min() |> set(key: "device_class", value: "-")])
    max_value =
        union(tables: [read1 |> max(), read1_classless |> max() |> set(key: "device_class", value: "-")])
    sum_value =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start"),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> set(key: "device_class", value: "-"),
            ],
        )
                |> drop(columns: ["_start"])
                |> rename(columns: {_time: "_start"})
    value_count =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start"),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> set(key: "device_class", value: "-"),
            ],
        )
                |> drop(columns: ["_start"])
                |> rename(columns: {_time: "_start"})
    event_count =
        union(
            tables: [
                classed(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start"),
                classless(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start") |> set(key: "device_class", value: "-"),
            ],
        )
                |> drop(columns: ["_start"])
                |> rename(columns: {_time: "_start"})
    total_energy =
        union(
            tables: [
                classed(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start"),
                classless(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start") |> set(key: "device_class", value: "-"),
            ],
        )
                |> drop(columns: ["_start"])
                |> rename(columns: {_time: "_start"})

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
            ],
        )
}

over_time = (since, start, stop) => {
    cut = (tables=<-) => tables |> range(start: start, stop: stop) |> window(every: 1h)

    texts =
        union(
            tables: [
                union(
                    tables: [
                        classed(field: "state_value", start: since, stop: start) |> group(columns: ["entity_id", "domain", "device_class"]) |> last(),
                        classless(field: "state_value", start: since, stop: start) |> group(columns: ["entity_id", "domain"]) |> last() |> set(key: "device_class", value: "-"),
                    ],
                ),
                union(
                    tables: [
                        classed(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]),
                        classless(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                    ],
                ),
            ],
        )
    numbers =
        union(
            tables: [
                // Of several at one instant, in different series, the largest.
                union(
                    tables: [
                        classed(field: "normalized_value", start: since, stop: start) |> last() |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> group(columns: ["entity_id", "domain", "device_class"]) |> sort(columns: ["_time", "_value"]) |> tail(n: 1),
                        classless(field: "normalized_value", start: since, stop: start) |> last() |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> group(columns: ["entity_id", "domain"]) |> sort(columns: ["_time", "_value"]) |> tail(n: 1) |> set(key: "device_class", value: "-"),
                    ],
                ),
                union(
                    tables: [
                        classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]),
                        classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> set(key: "device_class", value: "-"),
                    ],
                ),
            ],
        )
    points =
        union(
            tables: [
                texts |> drop(columns: ["_value"]) |> set(key: "kind", value: "2 text"),
                numbers |> set(key: "kind", value: "3 number"),
            ],
        )
            |> group(columns: ["entity_id"])
            |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value", "kind"])
            |> sort(columns: ["_time", "kind", "_value", "domain", "device_class"])
            |> duplicate(column: "kind", as: "holds")
            |> duplicate(column: "_time", as: "at")
    inside = points |> cut()
    spoken = inside |> limit(n: 1) |> keep(columns: ["entity_id", "_start", "_stop"])
    marks =
        union(
            tables: [
                spoken |> duplicate(column: "_stop", as: "_time") |> set(key: "kind", value: "0 end"),
                spoken |> duplicate(column: "_start", as: "_time") |> set(key: "kind", value: "1 start"),
            ],
        )
            |> keep(columns: ["entity_id", "_time", "kind"])
            |> group(columns: ["entity_id"])
    parts =
        union(tables: [points, marks])
            |> sort(columns: ["_time", "kind", "_value", "domain", "device_class"])
            |> fill(column: "holds", usePrevious: true)
            |> fill(column: "_value", usePrevious: true)
            |> fill(column: "domain", usePrevious: true)
            |> fill(column: "device_class", usePrevious: true)
            |> fill(column: "at", usePrevious: true)
            // How long each holds, as whole nanoseconds (`events.duration` and `elapsed` count in floats): backwards in time, so
            // that what `difference` leaves out is the last mark.
            |> sort(columns: ["_time", "kind", "_value", "domain", "device_class"], desc: true)
            |> map(fn: (r) => ({r with ns: int(v: r._time)}))
            |> difference(columns: ["ns"])
            |> filter(fn: (r) => r.holds == "3 number" and r.kind != "0 end" and r.ns < 0)
            |> filter(fn: (r) => r.kind != "1 start" or r.at >= held_since(day: day_of(moment: r._time)))
            |> cut()
            |> map(fn: (r) => ({r with area: r._value * float(v: r.ns) / -1000000000.0, seconds: float(v: r.ns) / -1000000000.0}))
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])
    meters =
        points
            |> filter(
                fn: (r) =>
                    r.kind == "3 number" and (r.device_class == "data_size" or r.device_class == "energy" or r.device_class == "gas" or r.device_class == "precipitation" or r.device_class == "volume" or r.device_class == "water"),
            )
            |> group(columns: ["entity_id", "domain", "device_class"])
            |> sort(columns: ["_time", "_value"])
            |> duplicate(column: "_value", as: "change")
            |> map(fn: (r) => ({r with gap: int(v: r._time)}))
            |> difference(columns: ["change", "gap"], keepFirst: true)
            |> cut()
            |> map(
                fn: (r) =>
                    ({r with change:
                            if not exists r.change then
                                0.0
                            else if int(v: r._time) - r.gap < int(v: held_since(day: day_of(moment: r._start))) then
                                0.0
                            else if r._value < 0.9 * (r._value - r.change) then
                                // A new start of the meter: it counts from zero.
                                r._value
                            else
                                r.change,
                    }),
            )
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])

    // The last that an entity said, text or number, in the row of its class: what holds at the window's end.
    ends = inside |> tail(n: 1) |> filter(fn: (r) => r.kind == "3 number")
    said = inside |> group(columns: ["entity_id", "domain", "device_class", "_start"]) |> sort(columns: ["_time", "_value"])
    said_numbers = said |> filter(fn: (r) => r.kind == "3 number")
    sums =
        union(
            tables: [
                said |> limit(n: 1) |> drop(columns: ["_value"]) |> set(key: "name", value: "said"),
                ends |> rename(columns: {_value: "number"}) |> set(key: "name", value: "ends"),
                parts |> sum(column: "area") |> rename(columns: {area: "number"}) |> set(key: "name", value: "area"),
                parts |> sum(column: "seconds") |> rename(columns: {seconds: "number"}) |> set(key: "name", value: "seconds"),
                parts |> filter(fn: (r) => r._value == 1.0) |> sum(column: "seconds") |> rename(columns: {seconds: "number"}) |> set(key: "name", value: "on"),
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
                        area: if r.name == "area" then r.number else accumulator.area,
                        seconds: if r.name == "seconds" then r.number else accumulator.seconds,
                        on: if r.name == "on" then r.number else accumulator.on,
                    }),
            )
            |> group()
            // What an entity held under another class, before it spoke in the window, has no row of its own.
            |> filter(fn: (r) => r.said)

    return
        union(
            tables: [
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
                said_numbers |> limit(n: 1) |> put(field: "first_value"),
                said_numbers |> tail(n: 1) |> put(field: "last_value"),
                meters |> sum(column: "change") |> rename(columns: {change: "_value"}) |> put(field: "increase"),
            ],
        )
}

// Whole days of the home, so that the days made of these hours can be made again too.
oldest = date.truncate(t: day_before(day: day_before(day: day_of(moment: now()))), unit: 1h)
newest = date.truncate(t: now(), unit: 1h)

total = (what, tables=<-) => tables |> keep(columns: ["_time", "_value"]) |> toFloat() |> set(key: "what", value: what)
raw = (field, fn) =>
    from(bucket: "events")
        |> range(start: oldest, stop: newest)
        |> filter(fn: (r) => r._measurement == "home_assistant_events" and r._field == field and exists r.entity_id and exists r.domain)
        |> group()
        |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")
stored = (field) =>
    from(bucket: "events_hourly")
        |> range(start: oldest, stop: newest)
        |> filter(fn: (r) => r._measurement == "hourly_events" and r._field == field)
        |> group()
        |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
different =
    union(
        tables: [
            raw(field: "state_value", fn: count) |> total(what: "event_count") |> set(key: "side", value: "raw"),
            stored(field: "event_count") |> total(what: "event_count") |> set(key: "side", value: "stored"),
            raw(field: "normalized_value", fn: sum) |> total(what: "sum_value") |> set(key: "side", value: "raw"),
            stored(field: "sum_value") |> total(what: "sum_value") |> set(key: "side", value: "stored"),
            raw(field: "normalized_value", fn: count) |> total(what: "value_count") |> set(key: "side", value: "raw"),
            stored(field: "value_count") |> total(what: "value_count") |> set(key: "side", value: "stored"),
            raw(field: "energy_consumption", fn: sum) |> total(what: "total_energy") |> set(key: "side", value: "raw"),
            stored(field: "total_energy") |> total(what: "total_energy") |> set(key: "side", value: "stored"),
        ],
    )
        |> group(columns: ["_time", "what"])
        |> reduce(
            identity: {raw: 0.0, stored: 0.0},
            fn: (r, accumulator) =>
                ({
                    raw: if r.side == "raw" then r._value else accumulator.raw,
                    stored: if r.side == "stored" then r._value else accumulator.stored,
                }),
        )
        |> filter(
            fn: (r) => math.abs(x: r.raw - r.stored) > 0.000000001 * (math.abs(x: r.raw) + math.abs(x: r.stored)) + 0.000001,
        )
        |> group()
        |> sort(columns: ["_time"])
        |> findColumn(fn: (key) => true, column: "_time")

// Where nothing differs, a range that holds nothing.
start = if length(arr: different) > 0 then different[0] else 1970-01-01T00:00:00Z
stop = if length(arr: different) > 0 then newest else 1970-01-01T01:00:00Z

aggregates(start: start, stop: stop) |> yield(name: "aggregates")
over_time(since: held_since(day: day_of(moment: start)), start: start, stop: stop) |> yield(name: "over time")
