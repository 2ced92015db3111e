// Package trace follows single messages through the server, for OpenTelemetry:
// from the packet to the commit, over the bus, to the delivery on every node.
//
// A nil *Tracer and a nil *Span are allowed everywhere and do nothing: a server
// without a collector has no tracer, and what is not traced costs a comparison
// with nil. A trace goes from part to part as a *Span in the request (or in the
// context of a call over HTTP), and from node to node as a W3C traceparent in
// the entry that a hint carries.
//
// Spans carry sizes and positions. They never carry a text, a token, or who
// somebody is.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/skein-im/skein/internal/im"
)

// Options of New.
type Options struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP; "" = no
	// tracer. Without a path, /v1/traces is asked.
	Endpoint string
	// Sample is the share of traces that are begun here, 0 to 1.
	Sample float64
	// Node and Version tell the spans of several nodes apart.
	Node, Version string
	Log           *slog.Logger
}

// Tracer begins traces. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   oteltrace.Tracer
	sample   float64
	asked    atomic.Uint64 // times that Root was
}

// exportEvery is how long a span waits for company at most.
const exportEvery = time.Second

// New makes a tracer, nil without an endpoint. It dials nobody: a collector
// that is away is logged when there is something to send, and costs spans and
// nothing else; at most 2,048 wait. Close must be called.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("traces: the collector's URL: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	p := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&logged{exporter, o.Log}, sdktrace.WithBatchTimeout(exportEvery)),
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // what is sampled is decided here
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "skein"),
			attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Node))))
	return &Tracer{provider: p, tracer: p.Tracer("github.com/skein-im/skein"), sample: o.Sample}, nil
}

// logged tells of an export that failed in the server's own log.
type logged struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

// ExportSpans implements SpanExporter.
func (l *logged) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := l.SpanExporter.ExportSpans(ctx, spans); err != nil {
		l.log.Warn("traces were not taken", "spans", len(spans), "err", err)
	}
	return nil
}

// Close sends what waits, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Root begins a trace, or returns nil because this one is not sampled: of n
// calls, n times Options.Sample are, evenly spread.
func (t *Tracer) Root(name string) *Span {
	if t == nil {
		return nil
	}
	n := t.asked.Add(1)
	if uint64(float64(n)*t.sample) == uint64(float64(n-1)*t.sample) {
		return nil
	}
	return t.start(context.Background(), name)
}

// Remote continues a trace of another node or caller, by its W3C traceparent;
// nil when that is malformed or says that the trace is not sampled.
func (t *Tracer) Remote(traceparent, name string) *Span {
	if t == nil || traceparent == "" {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	if !oteltrace.SpanContextFromContext(ctx).IsSampled() {
		return nil
	}
	return t.start(ctx, name)
}

func (t *Tracer) start(ctx context.Context, name string, o ...oteltrace.SpanStartOption) *Span {
	ctx, span := t.tracer.Start(ctx, name, o...)
	return &Span{t, ctx, span}
}

// Span is a part of a trace. Its methods do nothing on nil.
type Span struct {
	t    *Tracer
	ctx  context.Context //nolint:containedctx // it holds the span and nothing else
	span oteltrace.Span
}

// Child begins a part of this part. others are further spans that it serves.
func (s *Span) Child(name string, others ...*Span) *Span {
	if s == nil {
		return nil
	}
	var links []oteltrace.Link
	for _, o := range others {
		if o != nil && o != s {
			links = append(links, oteltrace.Link{SpanContext: o.span.SpanContext()})
		}
	}
	return s.t.start(s.ctx, name, oteltrace.WithLinks(links...))
}

// Set notes a number.
func (s *Span) Set(key string, n int64) {
	if s != nil {
		s.span.SetAttributes(attribute.Int64("skein."+key, n))
	}
}

// End ends it, with what went wrong if anything did. Of an error only the code
// is told: a message may quote what is nobody's business.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, im.CodeOf(err).String())
	}
	s.span.End()
}

// Traceparent is the span as W3C Trace Context has it, for another node.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	c := s.span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
}

type key struct{}

// Into puts a span into the context of a call.
func Into(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// From takes it out; nil when there is none.
func From(ctx context.Context) *Span {
	s, _ := ctx.Value(key{}).(*Span)
	return s
}
