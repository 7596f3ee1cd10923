package podstampprocessor

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// outlinesOf writes the Resources of a batch, without what they made. Nothing is missing in the batch once it returns.
func outlinesOf(all batch) ([]outline, error) {
	request := ptrace.NewTraces()
	entries := request.ResourceSpans()
	entries.EnsureCapacity(all.Len())
	for place := range all.Len() {
		all.resource(place).MoveTo(entries.AppendEmpty().Resource())
	}
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(request)
	for place := range all.Len() {
		entries.At(place).Resource().MoveTo(all.resource(place))
	}
	if err != nil {
		return nil, err
	}
	resources, err := resourcesIn(body, all.Len())
	if err != nil {
		return nil, err
	}
	list := make([]outline, len(resources))
	for place, resource := range resources {
		list[place] = outline{resource: resource, spans: all.witness(place)}
	}
	return list, nil
}

// outline is a resource without what it made.
type outline struct {
	// resource is the Resource.
	resource []byte
	// spans is what there is to know of its spans.
	spans witness
}

// with is the resource with other spans.
func (o outline) with(spans witness) outline { return outline{o.resource, spans} }

// witness stands for the spans of a resource.
type witness struct {
	// any says that there are some.
	any bool
	// end is when the latest of them ended, in nanoseconds since 1970.
	end uint64
	// kind is one that OTLP does not have, if a span has such a one. Whether it is to be cleared is for the filter to say.
	kind int32
}

// put appends the resource to a request: one of traces, of metrics and of logs have the same form there. Its spans are one.
func (o outline) put(request []byte) []byte {
	var spans []byte
	if o.spans.any {
		span := binary.LittleEndian.AppendUint64([]byte{spanEnd}, o.spans.end)
		if o.spans.kind != 0 {
			// A negative one takes ten bytes.
			span = binary.AppendUvarint(append(span, spanKind), uint64(int64(o.spans.kind)))
		}
		spans = appendField(nil, 2, appendField(nil, 2, span))
	}
	return appendField(request, 1, appendField(spans, 1, o.resource))
}

// Tags of a span's fields end_time_unix_nano, which has eight bytes, and kind.
const (
	spanEnd  = 8<<3 | 1
	spanKind = 6 << 3
)

// resourcesIn finds the Resource of each resource in a request, of which there have to be so many.
func resourcesIn(request []byte, count int) ([][]byte, error) {
	list := make([][]byte, 0, count)
	all := fields{rest: request}
	for len(all.rest) > 0 && !all.failed {
		list = append(list, all.resource())
	}
	if all.failed || len(list) != count {
		return nil, fmt.Errorf("%w: it has other resources than the batch", records.ErrMalformed)
	}
	return list, nil
}

// changesOf compares the resources of a request before and after; nil stands for no change. It reads bytes that are the filter's, and
// keeps none of them.
func changesOf(before []outline, body []byte, prepared *records.Prepared) ([]*change, error) {
	changes := make([]*change, len(before))
	if prepared.Content == records.Unchanged {
		return changes, nil
	}
	content, err := contentOf(body, prepared)
	if err != nil {
		return nil, err
	}
	after, err := resourcesIn(content, len(before))
	if err != nil {
		return nil, err
	}
	for place := range before {
		if changes[place], err = changeOf(before[place].resource, after[place]); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// change is what becomes of one Resource: attributes that are added to it, or another in its place.
type change struct {
	added []pair
	other *pcommon.Resource
}

// pair is an attribute whose value is text, as nearly all are.
type pair struct{ key, value string }

// changeOf compares the bytes of a Resource before and after. What is only longer has attributes more: the rest of it is not read.
func changeOf(old, new []byte) (*change, error) {
	if bytes.Equal(old, new) {
		return nil, nil
	}
	if len(new) > len(old) && bytes.Equal(new[:len(old)], old) {
		if added, ok := textAttributes(new[len(old):]); ok {
			return &change{added: added}, nil
		}
	}
	request := outline{resource: new}.put(nil)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", records.ErrMalformed, err)
	}
	other := traces.ResourceSpans().At(0).Resource()
	return &change{other: &other}, nil
}

// apply changes a Resource.
func (c *change) apply(resource pcommon.Resource) {
	if c == nil {
		return
	}
	if c.other != nil {
		c.other.CopyTo(resource)
		return
	}
	attributes := resource.Attributes()
	attributes.EnsureCapacity(attributes.Len() + len(c.added))
	for _, pair := range c.added {
		// None of the keys is there: the filter would have replaced its value then.
		attributes.PutStr(pair.key, pair.value)
	}
}

// textAttributes reads a run of attributes of a Resource; false where one of them is no text.
func textAttributes(run []byte) ([]pair, bool) {
	var pairs []pair
	all := fields{rest: run}
	for all.next() {
		pair, ok := textAttribute(all.content)
		if !ok || all.number != resourceAttributes {
			return nil, false
		}
		pairs = append(pairs, pair)
	}
	return pairs, !all.failed
}

func textAttribute(attribute []byte) (pair, bool) {
	var key, value []byte
	isText := false
	parts := fields{rest: attribute}
	for parts.next() {
		switch parts.number {
		case keyValueKey:
			key = parts.content
		case keyValueValue:
			inner := fields{rest: parts.content}
			isText = inner.next() && inner.number == anyValueString && len(inner.rest) == 0
			value = inner.content
		default:
			return pair{}, false
		}
	}
	return pair{string(key), string(value)}, isText && !parts.failed
}

// Numbers of fields.
const (
	requestResources   = 1
	resourceResource   = 1
	resourceAttributes = 1
	keyValueKey        = 1
	keyValueValue      = 2
	anyValueString     = 1
)

// fields goes through a message all of whose fields are length-delimited.
type fields struct {
	rest    []byte
	number  byte
	content []byte
	failed  bool
}

// next takes a field off the front; false where there is none, or the message is another one.
func (f *fields) next() bool {
	if f.failed || len(f.rest) == 0 {
		return false
	}
	tag := f.rest[0]
	length, read := binary.Uvarint(f.rest[1:])
	if tag&7 != 2 || tag > 0x7f || read <= 0 || length > uint64(len(f.rest)-1-read) {
		f.failed = true
		return false
	}
	end := 1 + read + int(length)
	f.number, f.content, f.rest = tag>>3, f.rest[1+read:end], f.rest[end:]
	return true
}

// resource takes a field of a request, and gives the Resource in it, which pdata does not write first.
func (f *fields) resource() []byte {
	if !f.next() || f.number != requestResources {
		f.failed = true
		return nil
	}
	inner := fields{rest: f.content}
	for inner.next() {
		if inner.number == resourceResource {
			return inner.content
		}
	}
	f.failed = true
	return nil
}

// appendField writes a field that is length-delimited.
func appendField(out []byte, number byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(out, number<<3|2), uint64(len(content))), content...)
}

// contentOf is the body to send on.
func contentOf(body []byte, prepared *records.Prepared) ([]byte, error) {
	switch prepared.Content {
	case records.Unchanged:
		return body, nil
	case records.Replaced:
		return prepared.Body, nil
	}
	out := make([]byte, 0, len(body)+len(prepared.Inserted))
	at, inserted := uint64(0), prepared.Inserted
	for _, edit := range prepared.Edits {
		end := uint64(edit.Offset) + uint64(edit.Remove)
		if uint64(edit.Offset) < at || end > uint64(len(body)) || uint64(edit.Insert) > uint64(len(inserted)) {
			return nil, fmt.Errorf("%w: an edit is outside of the body", records.ErrMalformed)
		}
		out = append(out, body[at:edit.Offset]...)
		out = append(out, inserted[:edit.Insert]...)
		at, inserted = end, inserted[edit.Insert:]
	}
	return append(out, body[at:]...), nil
}
