//go:build tools

// Keeps influx_inspect among the requirements of go.mod.
package influx_inspect

import _ "github.com/influxdata/influxdb/cmd/influx_inspect"
