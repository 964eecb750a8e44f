// A program as its author would write it: it has to pass the compiler, and each mistake has to be one to it.
import * as influxdb from "./sdk";

const org = new influxdb.Organization("home", { name: "home_assistant" });
const events = new influxdb.Bucket("events", {
    orgId: org.id,
    name: "events",
    retention: 365 * 86400,
    shardGroupDuration: 7 * 86400,
});
const writer = new influxdb.Authorization("writer", {
    orgId: org.id,
    permissions: [{ action: "write", resource: { type: "buckets", id: events.id } }],
});
new influxdb.Check("hot", {
    orgId: org.id,
    name: "hot",
    type: "threshold",
    query: 'from(bucket: "events") |> range(start: -1m) |> filter(fn: (r) => r._field == "normalized_value")',
    every: "1m",
    tags: { room: "kitchen" },
    thresholds: [{ type: "greater", level: "CRIT", value: 40 }],
});
export const token = writer.token;
export const found = influxdb.getBucketOutput({ orgId: org.id, name: "events" }).retention;

// @ts-expect-error: a bucket needs its organization
new influxdb.Bucket("a", { name: "a" });
// @ts-expect-error: a retention is a number of seconds
new influxdb.Bucket("b", { orgId: org.id, name: "b", retention: "30d" });
// @ts-expect-error: a threshold has a level
new influxdb.Check("c", { orgId: org.id, name: "c", type: "threshold", query: "", every: "1m", thresholds: [{ type: "greater" }] });
