package podstampprocessor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Each file has a batch as it comes in and as it goes out, twice: once it has been decided, and once that is remembered.
func TestBatchesGoOutAsTheFilesSay(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			retrieved, err := confmap.NewRetrievedFromYAML(text)
			require.NoError(t, err)
			all, err := retrieved.AsConf()
			require.NoError(t, err)
			entry, err := all.Sub("processor")
			require.NoError(t, err)
			config := createDefaultConfig()
			require.NoError(t, entry.Unmarshal(config))
			require.NoError(t, confmap.Validate(config))
			headers := map[string][]string{}
			if given, ok := all.Get("headers").(map[string]any); ok {
				for name, values := range given {
					for _, value := range values.([]any) {
						headers[name] = append(headers[name], value.(string))
					}
				}
			}
			r := run(t, config.(*Config))
			for range 2 {
				td := tracesOf(t, all.Get("input"))
				require.NoError(t, r.ConsumeTraces(from(all.Get("from").(string), headers), td))
				assert.JSONEq(t, marshalled(t, tracesOf(t, all.Get("expected"))), marshalled(t, r.last(t)))
			}
		})
	}
}

func tracesOf(t *testing.T, value any) ptrace.Traces {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	return td
}
