// keys prints the configuration keys of the components that podstamp reads, as the Collector's own modules have them.
//
// What it prints is a JSON object: for each kind of component, each type, the tree of its keys with their defaults. A list
// of sections has the default's elements, or one without values to show their keys. `guest/core/src/config/collector.json`
// is its output.
package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"unsafe"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func main() {
	// Only whether it says anything matters.
	telemetry := confmap.New()
	if err := telemetry.Marshal(otelconftelemetry.NewFactory().CreateDefaultConfig()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	printed := map[string]any{
		"receivers": types(otlpreceiver.NewFactory()),
		"processors": types(k8sattributesprocessor.NewFactory(), resourceprocessor.NewFactory(), batchprocessor.NewFactory(),
			memorylimiterprocessor.NewFactory()),
		"exporters":  types(otlphttpexporter.NewFactory()),
		"extensions": types(bearertokenauthextension.NewFactory()),
		"telemetry":  telemetry.ToStringMap(),
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(printed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func types(factories ...component.Factory) map[string]any {
	found := map[string]any{}
	for _, factory := range factories {
		found[factory.Type().String()] = tree(reflect.ValueOf(factory.CreateDefaultConfig()))
	}
	return found
}

// tree gives a value as the configuration has it; what a type leaves out by default is there with its empty value.
func tree(value reflect.Value) any {
	value = readable(value)
	if value.Kind() == reflect.String {
		// Secrets marshal as something else.
		return value.String()
	}
	if text, ok := value.Interface().(encoding.TextMarshaler); ok && value.Kind() != reflect.Pointer {
		marshaled, err := text.MarshalText()
		if err != nil {
			return nil
		}
		return string(marshaled)
	}
	if duration, ok := value.Interface().(fmt.Stringer); ok && value.Kind() == reflect.Int64 {
		return duration.String()
	}
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			if value.Type().Elem().Kind() != reflect.Struct {
				return nil
			}
			return tree(reflect.Zero(value.Type().Elem()))
		}
		return tree(value.Elem())
	case reflect.Struct:
		return section(value)
	case reflect.Slice, reflect.Array:
		return list(value)
	case reflect.Map:
		entries := map[string]any{}
		for _, key := range value.MapKeys() {
			entries[key.String()] = tree(value.MapIndex(key))
		}
		return entries
	case reflect.Interface:
		return nil
	case reflect.Func, reflect.Chan:
		return nil
	default:
		return value.Interface()
	}
}

func section(value reflect.Value) any {
	if strings.HasPrefix(value.Type().Name(), "Optional[") {
		inner := tree(value.FieldByName("value"))
		// A section that may be left out may say whether it is meant.
		if keys, ok := inner.(map[string]any); ok {
			keys["enabled"] = nil
		}
		return inner
	}
	keys := map[string]any{}
	for index := range value.NumField() {
		field := value.Type().Field(index)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case name == "-" || strings.Contains(options, "remain"):
		case strings.Contains(options, "squash") || field.Anonymous && name == "":
			if inner, ok := tree(value.Field(index)).(map[string]any); ok {
				for key, below := range inner {
					keys[key] = below
				}
			}
		case !field.IsExported():
		case name == "":
			keys[strings.ToLower(field.Name)] = tree(value.Field(index))
		default:
			keys[name] = tree(value.Field(index))
		}
	}
	return keys
}

func list(value reflect.Value) any {
	items := []any{}
	for index := range value.Len() {
		items = append(items, tree(value.Index(index)))
	}
	if len(items) == 0 && value.Type().Elem().Kind() == reflect.Struct {
		return append(items, tree(reflect.Zero(value.Type().Elem())))
	}
	return items
}

// readable is the same value, of which fields that are not exported can be read as well.
func readable(value reflect.Value) reflect.Value {
	if value.CanInterface() && value.CanAddr() {
		return value
	}
	if value.CanAddr() {
		return reflect.NewAt(value.Type(), unsafe.Pointer(value.UnsafeAddr())).Elem()
	}
	copied := reflect.New(value.Type()).Elem()
	copied.Set(value)
	return copied
}
