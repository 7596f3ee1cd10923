package podstampprocessor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
)

// Config is what stands under the processor's key: sections of podstamp's document, and how the filter is run. Without anything
// it is the guard alone, which is the pipeline that DeepFlow documents for load balancers.
type Config struct {
	// Processors are `k8sattributes` and `resource` processors with the Collector's own keys, which the filter runs by itself.
	Processors map[string]any `mapstructure:"processors"`
	// Podstamp is the section of that name: `trusted_proxies`, `guard` and others.
	Podstamp map[string]any `mapstructure:"podstamp"`
	// Service says in `pipelines` which processors run for which signal, in which order.
	Service map[string]any `mapstructure:"service"`
	// Receivers, Exporters and Extensions are read where a whole document is put here. The Collector's own receive and send.
	Receivers  map[string]any `mapstructure:"receivers"`
	Exporters  map[string]any `mapstructure:"exporters"`
	Extensions map[string]any `mapstructure:"extensions"`

	// Pods is the podstamp that pods come from.
	Pods PodsConfig `mapstructure:"pods"`
	// GuardSpans has whole batches of traces go through the filter, rather than their Resources.
	GuardSpans bool `mapstructure:"guard_spans"`
	// Instances is how many instances of the filter there are at most; 0: as many as Go uses threads.
	Instances int `mapstructure:"instances"`
	// Timeout is for one call of the filter, and as much for the wait for an instance.
	Timeout time.Duration `mapstructure:"timeout"`
	// MemoryLimitMiB is for one instance of the filter.
	MemoryLimitMiB uint32 `mapstructure:"memory_limit_mib"`
	// CompilationCache is a folder for the compiled filter, so that the next start does not compile it again; empty: none.
	CompilationCache string `mapstructure:"compilation_cache"`
}

// PodsConfig is the podstamp that pods come from.
type PodsConfig struct {
	// The endpoint is the podstamp's admin listener, without a path. Without one no pods are asked for.
	confighttp.ClientConfig `mapstructure:",squash"`
	// Wait is how long a question waits there for changes of pods; 0: not at all.
	Wait time.Duration `mapstructure:"wait"`
	// Interval is the least time between two questions.
	Interval time.Duration `mapstructure:"interval"`
}

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

const (
	// defaultTimeout is far over what a batch takes, and less than what clients wait.
	defaultTimeout = time.Second
	// defaultMemory is podstamp's own limit for the filter.
	defaultMemory = 256
	// defaultWait is less than what connections that are idle are kept for on the way.
	defaultWait = 50 * time.Second
	// defaultInterval keeps from asking without end a podstamp that answers at once.
	defaultInterval = 250 * time.Millisecond
	// maxInstances is podstamp's own limit.
	maxInstances = 1024
	// leastMemory holds the filter itself and a small batch.
	leastMemory = 16
)

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	return &Config{
		Pods:           PodsConfig{ClientConfig: client, Wait: defaultWait, Interval: defaultInterval},
		Timeout:        defaultTimeout,
		MemoryLimitMiB: defaultMemory,
	}
}

// Validate tells all faults at once. For those in podstamp's sections the filter itself is asked.
func (c *Config) Validate() error {
	var faults []error
	fault := func(path, format string, arguments ...any) {
		faults = append(faults, fmt.Errorf(path+": "+format, arguments...))
	}
	if c.Instances < 0 || c.Instances > maxInstances {
		fault("instances", "%d is not from 0 to %d", c.Instances, maxInstances)
	}
	if c.Timeout <= 0 {
		fault("timeout", "%s leaves no time for a call: state one, such as 1s", c.Timeout)
	}
	if c.MemoryLimitMiB < leastMemory || c.MemoryLimitMiB > 4096 {
		fault("memory_limit_mib", "%d is not from %d to 4096", c.MemoryLimitMiB, leastMemory)
	}
	if err := c.Pods.check(); err != nil {
		faults = append(faults, err)
	}
	document, err := c.document()
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	if err := checkDocument(document); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c *PodsConfig) check() error {
	if c.Endpoint == "" {
		return nil
	}
	parsed, err := url.Parse(c.Endpoint)
	_, authority, _ := strings.Cut(c.Endpoint, "://")
	authority, _, _ = strings.Cut(authority, "/")
	var faults []error
	switch {
	case strings.Count(authority, ":") > 1 && !strings.HasPrefix(authority, "["):
		// Some versions of Go take the last part for the port, and fail where they connect.
		faults = append(faults, fmt.Errorf("pods.endpoint: %q has an IPv6 address without brackets: write http://[fd00::1]:8888", c.Endpoint))
	case err != nil:
		faults = append(faults, fmt.Errorf("pods.endpoint: %w", err))
	case parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "":
		faults = append(faults, fmt.Errorf("pods.endpoint: %q is no URL: write http://, and a podstamp's host and port", c.Endpoint))
	case strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "":
		faults = append(faults, fmt.Errorf("pods.endpoint: %q has a path, which the processor adds by itself: leave it out", c.Endpoint))
	}
	if c.Wait < 0 || c.Wait > time.Hour {
		faults = append(faults, fmt.Errorf("pods.wait: %s is not from 0 to 1h", c.Wait))
	}
	if c.Timeout > 0 && c.Timeout <= c.Wait {
		faults = append(faults, fmt.Errorf("pods.timeout: %s would end questions that wait for changes: make it longer than pods.wait, %s", c.Timeout, c.Wait))
	}
	if c.Interval < 0 {
		faults = append(faults, fmt.Errorf("pods.interval: %s is less than nothing", c.Interval))
	}
	return errors.Join(faults...)
}

// document is the text that the filter is configured with; empty where there is nothing of it.
func (c *Config) document() ([]byte, error) {
	document := map[string]any{}
	var faults []error
	for name, section := range map[string]map[string]any{
		"processors": c.Processors, "podstamp": c.Podstamp, "service": c.Service,
		"receivers": c.Receivers, "exporters": c.Exporters, "extensions": c.Extensions,
	} {
		if section == nil {
			continue
		}
		plain, err := plain(name, section)
		faults = append(faults, err)
		document[name] = plain
	}
	if err := errors.Join(faults...); err != nil || len(document) == 0 {
		return nil, err
	}
	forgetElsewhere(document)
	return json.Marshal(document)
}

// forgetElsewhere takes out of `service` what it says of sections that are not here: the Collector receives and sends by itself.
func forgetElsewhere(document map[string]any) {
	service, _ := document["service"].(map[string]any)
	pipelines, _ := service["pipelines"].(map[string]any)
	for _, section := range []string{"receivers", "exporters"} {
		if _, ok := document[section]; ok {
			continue
		}
		for _, pipeline := range pipelines {
			if keys, ok := pipeline.(map[string]any); ok {
				delete(keys, section)
			}
		}
	}
	if _, ok := document["extensions"]; !ok {
		delete(service, "extensions")
	}
}

// plain makes of YAML what JSON has.
func plain(path string, value any) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(value))
		var faults []error
		for key, item := range value {
			item, err := plain(path+"."+key, item)
			object[key], faults = item, append(faults, err)
		}
		return object, errors.Join(faults...)
	case map[any]any:
		object := make(map[string]any, len(value))
		for key, item := range value {
			object[fmt.Sprint(key)] = item
		}
		return plain(path, object)
	case []any:
		list := make([]any, len(value))
		var faults []error
		for place, item := range value {
			item, err := plain(fmt.Sprintf("%s[%d]", path, place), item)
			list[place], faults = item, append(faults, err)
		}
		return list, errors.Join(faults...)
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%s: %v is no number", path, value)
		}
	}
	return value, nil
}

// endpoint is where pods come from: this processor's own key, or else what the document says of another podstamp.
func (c *Config) endpoint() string {
	if c.Pods.Endpoint != "" {
		return c.Pods.Endpoint
	}
	pods, _ := c.Podstamp["pods"].(map[string]any)
	from, _ := pods["from"].(string)
	if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		return from
	}
	return ""
}

// lookups are the document's processors that look for pods, by their keys.
func (c *Config) lookups() []map[string]any {
	var found []map[string]any
	for name, section := range c.Processors {
		kind, _, _ := strings.Cut(name, "/")
		keys, _ := section.(map[string]any)
		if passthrough, _ := keys["passthrough"].(bool); kind == "k8sattributes" && !passthrough {
			found = append(found, keys)
		}
	}
	return found
}

// waitsForPods says that batches are not to be stamped before the pods have come.
func (c *Config) waitsForPods() bool {
	return slices.ContainsFunc(c.lookups(), func(keys map[string]any) bool {
		waits, _ := keys["wait_for_metadata"].(bool)
		return waits
	})
}

func (c *Config) limits() guest.Limits {
	return guest.Limits{Time: c.Timeout, Memory: uint64(c.MemoryLimitMiB) << 20}
}

func (c *Config) instances() int {
	if c.Instances == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return c.Instances
}
