// Package guest runs podstamp's module: compiles it, makes instances of it, and calls them within their limits.
package guest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// ABI is the version of docs/abi.md that this package speaks.
const ABI = 1

// pageSize is that of WebAssembly.
const pageSize = 64 << 10

// Limits are what one instance may take.
type Limits struct {
	// Time is for one call.
	Time time.Duration
	// Memory is in bytes, for an instance's whole memory.
	Memory uint64
}

func (l Limits) pages() uint32 { return uint32(min(l.Memory/pageSize, 1<<16)) }

// growth is by how much an instance may have grown for batches before it is replaced: memory is never given back.
func (l Limits) growth() uint64 { return l.Memory / 4 }

// Engine is a compiled module with its configuration, of which instances are made.
type Engine struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	document []byte
	limits   Limits
	isSlow   bool
}

// IsSlow says that the runtime watches the time of each call by itself, which takes it five to ten times as long.
func (e *Engine) IsSlow() bool { return e.isSlow }

// NewEngine compiles a module, or takes it from the cache: that of the process, or a folder where one is named.
func NewEngine(ctx context.Context, wasm, document []byte, limits Limits, folder string) (*Engine, error) {
	cache, err := cacheIn(folder)
	if err != nil {
		return nil, fmt.Errorf("no compiled modules can be kept in %s: %w", folder, err)
	}
	// Compiled code is for amd64 and arm64; elsewhere wazero interprets.
	config := wazero.NewRuntimeConfig().WithCompilationCache(cache).WithMemoryLimitPages(limits.pages())
	checked, unknown := withInterrupt(wasm)
	if unknown == nil {
		wasm = checked
	} else {
		config = config.WithCloseOnContextDone(true)
	}
	engine := &Engine{
		runtime: wazero.NewRuntimeWithConfig(ctx, config), document: document, limits: limits, isSlow: unknown != nil,
	}
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	if engine.compiled, err = engine.runtime.CompileModule(ctx, wasm); err != nil {
		_ = engine.Close()
		return nil, fmt.Errorf("the module cannot be compiled: %w", err)
	}
	return engine, nil
}

// withInterrupt is another one in tests.
var withInterrupt = interruptible

// Close gives up all instances.
func (e *Engine) Close() error { return e.runtime.Close(context.Background()) }

// Version tells modules apart: the SHA-256 of their bytes.
func Version(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}

// caches are shared by all processors of the process, so that each module is compiled once.
var caches = struct {
	sync.Mutex
	in map[string]wazero.CompilationCache
}{in: map[string]wazero.CompilationCache{}}

func cacheIn(folder string) (wazero.CompilationCache, error) {
	caches.Lock()
	defer caches.Unlock()
	if cache, ok := caches.in[folder]; ok {
		return cache, nil
	}
	cache, err := wazero.NewCompilationCache(), error(nil)
	if folder != "" {
		cache, err = wazero.NewCompilationCacheWithDir(folder)
	}
	if err == nil {
		caches.in[folder] = cache
	}
	return cache, err
}
