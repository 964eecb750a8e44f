import "array"
import "contrib/tomhollingworth/events"
import "date"
import "math"
import "system"
import "timezone"

option task = {
    name: "reconcile_hourly",
    every: 1h,
    offset: 25m,
}


home = timezone.location(name: "Asia/Kolkata")
day_of = (moment) => date.truncate(t: moment, unit: 1d, location: home)
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

over_time = (since, start, stop) => {
    before =
        union(
            tables: [
                classed(field: "state_value", start: since, stop: start) |> group(columns: ["entity_id", "domain", "device_class"]) |> last() |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_time"]) |> set(key: "kind", value: "2 text"),
                classless(field: "state_value", start: since, stop: start) |> group(columns: ["entity_id", "domain"]) |> last() |> group() |> keep(columns: ["entity_id", "domain", "_time"]) |> set(key: "device_class", value: "-") |> set(key: "kind", value: "2 text"),
                // Of each series, as of several at one instant the largest is wanted.
                classed(field: "normalized_value", start: since, stop: start) |> last() |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"]) |> group() |> set(key: "kind", value: "3 number"),
                classless(field: "normalized_value", start: since, stop: start) |> last() |> keep(columns: ["entity_id", "domain", "_time", "_value"]) |> group() |> set(key: "device_class", value: "-") |> set(key: "kind", value: "3 number"),
            ],
        )
            |> set(key: "counts", value: "no")
    numbers =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"]) |> set(key: "kind", value: "3 number") |> window(every: 1h),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_stop", "_time", "_value"]) |> set(key: "device_class", value: "-") |> set(key: "kind", value: "3 number") |> window(every: 1h),
            ],
        )
    inside =
        union(
            tables: [
                classed(field: "state_value", start: start, stop: stop) |> group(columns: ["domain", "device_class"]) |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time"]) |> set(key: "kind", value: "2 text") |> window(every: 1h),
                classless(field: "state_value", start: start, stop: stop) |> group(columns: ["domain"]) |> keep(columns: ["entity_id", "domain", "_start", "_stop", "_time"]) |> set(key: "device_class", value: "-") |> set(key: "kind", value: "2 text") |> window(every: 1h),
                numbers,
            ],
        )
            |> set(key: "counts", value: "yes")
    points = union(tables: [before, inside |> group()]) |> duplicate(column: "kind", as: "holds") |> duplicate(column: "_time", as: "at")
    // One that changed its class has its marks twice, the second ones of no length.
    spoken = inside |> unique(column: "entity_id") |> keep(columns: ["entity_id", "_start", "_stop"]) |> group()
    marks =
        union(
            tables: [
                spoken |> duplicate(column: "_stop", as: "_time") |> set(key: "kind", value: "0 end") |> set(key: "counts", value: "no"),
                spoken |> duplicate(column: "_start", as: "_time") |> set(key: "kind", value: "1 start") |> set(key: "counts", value: "yes"),
                points
                    |> unique(column: "entity_id")
                    |> keep(columns: ["entity_id"])
                    |> map(fn: (r) => ({r with _time: stop}))
                    |> set(key: "kind", value: "4 none")
                    |> set(key: "holds", value: "4 none")
                    |> set(key: "counts", value: "no"),
            ],
        )
    sorted =
        union(tables: [points, marks])
            |> sort(columns: ["entity_id", "_time", "kind", "_value", "domain", "device_class"])
            |> fill(column: "holds", usePrevious: true)
            |> fill(column: "_value", usePrevious: true)
            |> fill(column: "domain", usePrevious: true)
            |> fill(column: "device_class", usePrevious: true)
            |> fill(column: "at", usePrevious: true)
            |> fill(column: "holds", value: "4 none")
            // How long each holds. `duration` counts in floats, which are exact for nanoseconds from `stop` on.
            |> duplicate(column: "_time", as: "from_stop")
            |> timeShift(duration: duration(v: -int(v: stop)), columns: ["from_stop"])
            |> events.duration(unit: 1ns, timeColumn: "from_stop", columnName: "ns", stop: stop)
            |> map(
                fn: (r) =>
                    ({r with
                        part: r.holds == "3 number" and r.counts == "yes" and r.ns > 0,
                        end: r.holds == "3 number" and r.kind == "0 end",
                    }),
            )
    parts =
        sorted
            |> filter(fn: (r) => r.part)
            |> filter(fn: (r) => r.kind != "1 start" or r.at >= held_since(day: day_of(moment: r._time)))
            |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value", "ns"])

    said =
        inside
            |> unique(column: "entity_id")
            |> group()
            |> keep(columns: ["entity_id", "domain", "device_class", "_start"])
            |> map(fn: (r) => ({r with _value: 0.0}))
    firsts = numbers |> sort(columns: ["_time", "_value"]) |> unique(column: "entity_id")
    lasts = numbers |> sort(columns: ["_time", "_value"], desc: true) |> unique(column: "entity_id")
    // What an entity said last, text or number, in the row of its class: what holds at the window's end.
    holds =
        union(
            tables: [
                sorted
                    |> filter(fn: (r) => r.end)
                    |> keep(columns: ["entity_id", "domain", "device_class", "_start"])
                    |> map(fn: (r) => ({r with _value: 1.0})),
                said,
            ],
        )
            |> group(columns: ["domain", "device_class", "_start"])
            |> sort(columns: ["_value"], desc: true)
            |> unique(column: "entity_id")

    // What an entity held under another class, before it spoke in the window, has no row of its own.
    all_parts = parts |> group(columns: ["_start"]) |> beside(those: said |> group(columns: ["_start"]))
    measured = (tables=<-) =>
        tables
            |> map(
                fn: (r) =>
                    ({r with
                        area: r._value * float(v: r.ns) / 1000000000.0,
                        seconds: float(v: r.ns) / 1000000000.0,
                        on: if r._value == 1.0 then float(v: r.ns) / 1000000000.0 else 0.0,
                        switched: r.domain != "counter" and r.domain != "input_number" and r.domain != "number" and r.domain != "sensor" and r.domain != "zone",
                    }),
            )
    held =
        union(
            tables: [
                said |> group(columns: ["_start"]) |> map(fn: (r) => ({r with ns: 0})),
                all_parts |> filter(fn: (r) => r.found) |> drop(columns: ["other", "found"]),
            ],
        )
            |> measured()
            |> duplicate(column: "_start", as: "_time")
    // Of many windows `aggregateWindow` makes a table for each class, `sum` would make one for each of its windows.
    summed = (column, tables=<-) =>
        tables
            |> aggregateWindow(every: 1h, fn: sum, column: column, createEmpty: false, timeSrc: "_start")
            |> drop(columns: ["_start", "_stop"])
            |> group()
            |> rename(columns: {_time: "_start"})
    by_row = held |> group(columns: ["entity_id", "domain", "device_class"])
    areas = by_row |> summed(column: "area") |> group(columns: ["_start"]) |> rename(columns: {area: "_value"})
    covered = by_row |> summed(column: "seconds") |> group(columns: ["_start"]) |> rename(columns: {seconds: "_value"})

    // Meters are read once more, as few series of them are quicker to find than their rows among all.
    metered = (start, stop) =>
        classed(field: "normalized_value", start: start, stop: stop)
            |> filter(fn: (r) => r.device_class == "data_size" or r.device_class == "energy" or r.device_class == "gas" or r.device_class == "precipitation" or r.device_class == "volume" or r.device_class == "water")
    meters =
        union(
            tables: [
                metered(start: since, stop: start) |> last() |> keep(columns: ["entity_id", "domain", "device_class", "_time", "_value"]) |> group(),
                metered(start: start, stop: stop) |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_stop", "_time", "_value"])  |> window(every: 1h) |> group(),
            ],
        )
            |> group(columns: ["entity_id", "domain", "device_class"])
            |> sort(columns: ["_time", "_value"])
            |> duplicate(column: "_value", as: "change")
            |> map(fn: (r) => ({r with gap: int(v: r._time)}))
            |> difference(columns: ["change", "gap"], keepFirst: true)
            |> filter(fn: (r) => exists r._start)
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
    // That is kept apart, for the day: it may have a row of that class. Nothing is left of what was kept there before.
    carried =
        union(
            tables: [
                all_parts |> filter(fn: (r) => not r.found) |> group() |> keep(columns: ["entity_id", "domain", "device_class", "_start", "_value", "ns"]),
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_carried" and r._field == "covered_seconds" and exists r.device_class,
                    )
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_time"])
                    |> rename(columns: {_time: "_start"})
                    |> map(fn: (r) => ({r with _value: 0.0, ns: 0})),
                from(bucket: "events_hourly")
                    |> range(start: start, stop: stop)
                    |> filter(
                        fn: (r) =>
                            r._measurement == "hourly_carried" and r._field == "covered_seconds" and not exists r.device_class,
                    )
                    |> group()
                    |> keep(columns: ["entity_id", "domain", "device_class", "_time"])
                    |> rename(columns: {_time: "_start"})
                    |> set(key: "device_class", value: "-")
                    |> map(fn: (r) => ({r with _value: 0.0, ns: 0})),
            ],
        )
            |> measured()
            |> group(columns: ["entity_id", "domain", "device_class", "_start"])
    carried_part = (column, field, tables=<-) =>
        tables |> sum(column: column) |> duplicate(column: column, as: "_value") |> named(field: field)

    rows =
        union(
            tables: [
                areas |> named(field: "value_seconds"),
                covered |> named(field: "covered_seconds"),
                ratio(of: areas, by: covered) |> named(field: "time_weighted_avg"),
                held
                    |> filter(fn: (r) => r.switched)
                    |> group(columns: ["entity_id", "domain", "device_class"])
                    |> summed(column: "on")
                    |> rename(columns: {on: "_value"})
                    |> named(field: "on_seconds"),
                holds |> named(field: "last_holds"),
                firsts |> named(field: "first_value"),
                lasts |> named(field: "last_value"),
                meters |> sum(column: "change") |> rename(columns: {change: "_value"}) |> named(field: "increase"),
            ],
        )
    carried_rows =
        union(
            tables: [
                carried |> carried_part(column: "area", field: "value_seconds"),
                carried |> carried_part(column: "seconds", field: "covered_seconds"),
                carried |> filter(fn: (r) => r.switched) |> carried_part(column: "on", field: "on_seconds"),
            ],
        )

    return union(tables: [rows |> put(), carried_rows |> put(measurement: "hourly_carried")])
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
stored = (field, fn) =>
    from(bucket: "events_hourly")
        |> range(start: oldest, stop: newest)
        |> filter(fn: (r) => r._measurement == "hourly_events" and r._field == field)
        |> group()
        |> aggregateWindow(every: 1h, fn: fn, createEmpty: false, timeSrc: "_start")
different =
    union(
        tables: [
            // Rows, as the value over time is another task's: a run of it may be missing alone.
            stored(field: "event_count", fn: count) |> total(what: "over time") |> set(key: "side", value: "raw"),
            stored(field: "last_holds", fn: count) |> total(what: "over time") |> set(key: "side", value: "stored"),
            raw(field: "state_value", fn: count) |> total(what: "event_count") |> set(key: "side", value: "raw"),
            stored(field: "event_count", fn: sum) |> total(what: "event_count") |> set(key: "side", value: "stored"),
            raw(field: "normalized_value", fn: sum) |> total(what: "sum_value") |> set(key: "side", value: "raw"),
            stored(field: "sum_value", fn: sum) |> total(what: "sum_value") |> set(key: "side", value: "stored"),
            raw(field: "normalized_value", fn: count) |> total(what: "value_count") |> set(key: "side", value: "raw"),
            stored(field: "value_count", fn: sum) |> total(what: "value_count") |> set(key: "side", value: "stored"),
            raw(field: "energy_consumption", fn: sum) |> total(what: "total_energy") |> set(key: "side", value: "raw"),
            stored(field: "total_energy", fn: sum) |> total(what: "total_energy") |> set(key: "side", value: "stored"),
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
            // A row of numbers without a state has no count of states.
            fn: (r) =>
                if r.what == "over time" then
                    r.raw > r.stored
                else
                    math.abs(x: r.raw - r.stored) > 0.000000001 * (math.abs(x: r.raw) + math.abs(x: r.stored)) + 0.000001,
        )
        |> group()
        |> sort(columns: ["_time"])

// A run that is cut off in its writes may leave totals that are right beside rows that are not. So it first says from which
// hour on it computes, and last that it has: where the last one has not, its hours are computed again.
marked = (field) =>
    from(bucket: "events_hourly")
        |> range(start: oldest, stop: date.add(d: 1h, to: system.time()))
        |> filter(fn: (r) => r._measurement == "hourly_marks" and r._field == field)
        |> group()
        |> last()
times = (column, tables=<-) => tables |> findColumn(fn: (key) => true, column: column)
last_begun = marked(field: "begun") |> times(column: "_time")
last_finished = marked(field: "finished") |> times(column: "_time")
cut_off = if length(arr: last_begun) == 0 then false else if length(arr: last_finished) == 0 then true else last_begun[0] > last_finished[0]
differing = different |> times(column: "_time")
left = if cut_off then time(v: (marked(field: "begun") |> times(column: "_value"))[0]) else newest
unsure = if left < oldest then oldest else left
first = if length(arr: differing) == 0 then unsure else if differing[0] < unsure then differing[0] else unsure

// Where nothing is wrong, a range that holds nothing.
found = first < newest
start = if found then first else 1970-01-01T00:00:00Z
stop = if found then newest else 1970-01-01T01:00:00Z

mark = system.time()
mark_as = (field, tables=<-) =>
    tables
        |> filter(fn: (r) => found)
        |> map(fn: (r) => ({_time: mark, _measurement: "hourly_marks", _field: field, _value: int(v: start)}))
        |> to(bucket: "events_hourly", tagColumns: [])
nothing = array.from(rows: [{_field: 0}])
// Asked for its result, it is written before anything else is done (and once more with the rest).
begun = nothing |> mark_as(field: "begun") |> times(column: "_time")
summed_up = aggregates(start: start, stop: stop)
held_up = over_time(since: held_since(day: day_of(moment: start)), start: start, stop: stop)

union(tables: [summed_up, held_up, nothing])
    |> group()
    |> sum(column: "_field")
    |> mark_as(field: "finished")
    |> yield(name: "finished")
