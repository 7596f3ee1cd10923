package podstampprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type metricsBatch struct{ pmetric.ResourceMetricsSlice }

func (b metricsBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }
func (metricsBatch) witness(int, ptrace.Span) bool         { return false }

type logsBatch struct{ plog.ResourceLogsSlice }

func (b logsBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }
func (logsBatch) witness(int, ptrace.Span) bool         { return false }

type tracesBatch struct{ ptrace.ResourceSpansSlice }

func (b tracesBatch) resource(place int) pcommon.Resource { return b.At(place).Resource() }

// witness stands for the spans beneath a resource: it ends when the latest of them does, which tells whether they are older than the
// next pod with the same address. If one of them has a kind that OTLP does not have, it has that kind: whether such kinds are
// cleared is for the filter to say.
func (b tracesBatch) witness(place int, witness ptrace.Span) bool {
	any := false
	var latest pcommon.Timestamp
	scopes := b.At(place).ScopeSpans()
	for scope := range scopes.Len() {
		spans := scopes.At(scope).Spans()
		for number := range spans.Len() {
			any = true
			span := spans.At(number)
			latest = max(latest, span.EndTimestamp())
			if kind := span.Kind(); isStrange(kind) {
				witness.SetKind(kind)
			}
		}
	}
	witness.SetEndTimestamp(latest)
	return any
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
