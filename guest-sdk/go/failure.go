// Why something cannot be done, in the words of a plugin.

package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// codeBytesMax is what the interface allows for a code.
const codeBytesMax = 64

// Failure says why a row or a table cannot be handled. Any other error that a plugin returns becomes one with the code
// "failure".
type Failure struct {
	// Code is a constant of the plugin, [a-z0-9-]{1,64}: it goes to logs and metrics, so never a value.
	Code string
	// Detail is for a person and may name values: it goes to `sluice test` and to dead letters only.
	Detail string
}

// Fail makes a failure; what does not fit [a-z0-9-]{1,64} in its code is made to fit.
func Fail(code, format string, arguments ...any) *Failure {
	fit := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}
	code = strings.Map(fit, code)
	if len(code) > codeBytesMax {
		code = code[:codeBytesMax]
	}
	if code == "" {
		code = "failure"
	}
	return &Failure{Code: code, Detail: fmt.Sprintf(format, arguments...)}
}

func (f *Failure) Error() string { return f.Code + ": " + f.Detail }

func failureOf(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	return Fail("failure", "%s", err.Error())
}

// Problem is a mistake in the configuration.
type Problem struct {
	// Path is a JSON Pointer into the configuration ("/columns/2"), or "" for all of it.
	Path string
	// Message says what is wrong and what would be right.
	Message string
}

// ConfigError holds all mistakes of a configuration at once, so that they are mended in one go.
type ConfigError struct{ Problems []Problem }

// Add notes one more mistake, by JSON Pointer.
func (e *ConfigError) Add(path, format string, arguments ...any) {
	e.Problems = append(e.Problems, Problem{Path: path, Message: fmt.Sprintf(format, arguments...)})
}

// OrNil is this very error where it holds a problem, otherwise nil.
func (e *ConfigError) OrNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

func (e *ConfigError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, problem := range e.Problems {
		at := problem.Path
		if at == "" {
			at = "the configuration"
		}
		lines = append(lines, at+": "+problem.Message)
	}
	return strings.Join(lines, "\n")
}

func configErrorOf(err error) *ConfigError {
	var config *ConfigError
	if errors.As(err, &config) {
		return config
	}
	return &ConfigError{Problems: []Problem{{Message: err.Error()}}}
}

// ParseConfig reads a configuration into a struct, by the rules of encoding/json; a key that the struct does not have is
// a mistake. Its error is a *ConfigError.
func ParseConfig(config []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); more == io.EOF {
			return nil
		}
		err = errors.New("the configuration has more than one value")
	}
	problems := &ConfigError{}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		path := ""
		if wrong.Field != "" {
			path = "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		}
		problems.Add(path, "expected %s, not %s", wrong.Type, wrong.Value)
		return problems
	}
	problems.Add("", "%s", strings.TrimPrefix(err.Error(), "json: "))
	return problems
}
