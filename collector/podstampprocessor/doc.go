//go:generate go run go.opentelemetry.io/collector/cmd/mdatagen@v0.159.0 metadata.yaml

// Package podstampprocessor stamps the resources of traces with the address of the pod that made them, as podstamp does: it runs
// podstamp's filter, a WebAssembly module, inside of an OpenTelemetry Collector.
//
// Of a batch only the Resources go through the filter. Spans stay where they are, unless guard_spans is set.
package podstampprocessor // import "github.com/podstamp/podstamp/collector/podstampprocessor"
