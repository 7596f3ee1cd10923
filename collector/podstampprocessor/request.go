package podstampprocessor

import (
	"context"
	"net"
	"net/netip"

	"go.opentelemetry.io/collector/client"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// contentType is what the filter reads, whatever the client sent.
var contentType = records.Header{Name: "content-type", Value: "application/x-protobuf"}

// request says who sent a batch, as far as the receiver has told: the address of the connection, and with include_metadata the
// headers that the filter reads.
func request(ctx context.Context, signal records.Signal, names []string) records.Request {
	from := client.FromContext(ctx)
	made := records.Request{Signal: signal, Peer: peer(from.Addr), Headers: []records.Header{contentType}}
	for _, name := range names {
		if name == contentType.Name {
			continue
		}
		for _, value := range from.Metadata.Get(name) {
			made.Headers = append(made.Headers, records.Header{Name: name, Value: value})
		}
	}
	return made
}

// peer is an address without its port and zone; empty where there is none.
func peer(address net.Addr) string {
	var ip net.IP
	switch address := address.(type) {
	case nil:
		return ""
	case *net.TCPAddr:
		ip = address.IP
	case *net.UDPAddr:
		ip = address.IP
	case *net.IPAddr:
		ip = address.IP
	default:
		return parsed(address.String())
	}
	canonical, ok := netip.AddrFromSlice(ip)
	if !ok {
		return ""
	}
	return canonical.Unmap().String()
}

func parsed(text string) string {
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone("").String()
	}
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().WithZone("").String()
	}
	return ""
}
