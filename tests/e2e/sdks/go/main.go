// Command shop makes a known set of spans and exports them as the standard OTEL_EXPORTER_OTLP_* variables say.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const steps = 1200

var attributes = []attribute.KeyValue{
	attribute.String("text", "naïve café 缺貨 🛒"),
	attribute.String("empty", ""),
	attribute.String("long", strings.Repeat("長", 20_000)),
	attribute.Bool("true", true),
	attribute.Int64("int", 9007199254740991),
	attribute.Int64("negative", -42),
	attribute.Float64("double", 0.1),
	attribute.StringSlice("texts", []string{"a", "ß", ""}),
	attribute.BoolSlice("bools", []bool{true, false}),
	attribute.Int64Slice("ints", []int64{1, -2}),
	attribute.Float64Slice("doubles", []float64{0.5, 1.5e-300}),
}

func exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

func shop(ctx context.Context, tracer trace.Tracer) {
	inside, checkout := tracer.Start(ctx, "checkout",
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
	checkout.AddEvent("cart read", trace.WithAttributes(attribute.Int("items", 3)))
	_, cart := tracer.Start(inside, "load cart")
	cart.End()
	same := trace.Link{SpanContext: checkout.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "same cart")}}
	_, stock := tracer.Start(inside, "GET /stock", trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(same))
	stock.End()
	_, placed := tracer.Start(inside, "order placed", trace.WithSpanKind(trace.SpanKindProducer))
	placed.End()
	_, taken := tracer.Start(inside, "order taken", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: placed.SpanContext()}))
	taken.SetStatus(codes.Ok, "")
	taken.End()
	checkout.RecordError(errors.New("nothing on the shelf: 缺貨"))
	checkout.SetStatus(codes.Error, "out of stock: 缺貨")
	checkout.End()
	for step := range steps {
		_, span := tracer.Start(ctx, fmt.Sprintf("step %d", step))
		span.End()
	}
}

func main() {
	// The batch processor tells of failed exports nowhere else.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Fatal(err) }))
	ctx := context.Background()
	exporter, err := exporter(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	shop(ctx, provider.Tracer("shop", trace.WithInstrumentationVersion("1.2.3")))
	if err := errors.Join(provider.ForceFlush(ctx), provider.Shutdown(ctx)); err != nil {
		log.Fatal(err)
	}
}
