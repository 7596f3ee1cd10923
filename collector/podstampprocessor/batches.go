package podstampprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// batch is the resources of a batch, whatever its signal.
type batch interface {
	Len() int
	// resource is the one at a place.
	resource(place int) pcommon.Resource
	// witness stands for the spans of the resource at a place.
	witness(place int) witness
}

type metricsBatch struct{ pmetric.ResourceMetricsSlice }

func (b metricsBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }
func (metricsBatch) witness(int) witness                   { return witness{} }

type logsBatch struct{ plog.ResourceLogsSlice }

func (b logsBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }
func (logsBatch) witness(int) witness                   { return witness{} }

type tracesBatch struct{ ptrace.ResourceSpansSlice }

func (b tracesBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }

// witness tells of the latest span whether it is older than the next pod with the same address.
func (b tracesBatch) witness(place int) witness {
	var made witness
	scopes := b.At(place).ScopeSpans()
	for scope := range scopes.Len() {
		spans := scopes.At(scope).Spans()
		for number := range spans.Len() {
			span := spans.At(number)
			made.any = true
			made.end = max(made.end, uint64(span.EndTimestamp()))
			if kind := span.Kind(); isStrange(kind) {
				made.kind = int32(kind)
			}
		}
	}
	return made
}

// clearKinds clears the kinds that OTLP does not have, and says how many.
func (b tracesBatch) clearKinds() uint32 {
	cleared := uint32(0)
	for place := range b.Len() {
		scopes := b.At(place).ScopeSpans()
		for scope := range scopes.Len() {
			spans := scopes.At(scope).Spans()
			for number := range spans.Len() {
				if span := spans.At(number); isStrange(span.Kind()) {
					span.SetKind(ptrace.SpanKindUnspecified)
					cleared++
				}
			}
		}
	}
	return cleared
}

// isStrange says that a kind is none of OTLP's.
func isStrange(kind ptrace.SpanKind) bool {
	return kind < ptrace.SpanKindUnspecified || kind > ptrace.SpanKindConsumer
}
