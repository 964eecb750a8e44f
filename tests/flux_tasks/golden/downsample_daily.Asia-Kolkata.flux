import "date"
import "timezone"

option task = {
    name: "downsample_daily",
    cron: "30 18 * * *",
    offset: 15m,
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

aggregates = (start, stop) => {
    min_value =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> min(),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> min() |> set(key: "device_class", value: "-"),
            ],
        )
    max_value =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> max(),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> max() |> set(key: "device_class", value: "-"),
            ],
        )
    sum_value =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
            ],
        )
    value_count =
        union(
            tables: [
                classed(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> count(),
                classless(field: "normalized_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> count() |> set(key: "device_class", value: "-"),
            ],
        )
    event_count =
        union(
            tables: [
                classed(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> count(),
                classless(field: "state_value", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> count() |> set(key: "device_class", value: "-"),
            ],
        )
    total_energy =
        union(
            tables: [
                classed(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain", "device_class"]) |> sum(),
                classless(field: "energy_consumption", start: start, stop: stop) |> group(columns: ["entity_id", "domain"]) |> sum() |> set(key: "device_class", value: "-"),
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

// The last whole window before the scheduled time, with explicit bounds.
stop = day_of(moment: now())
start = day_before(day: stop)

aggregates(start: start, stop: stop)
