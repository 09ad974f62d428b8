// Natively a plugin is an ordinary package: it runs in unit tests.

//go:build !wasip1

package guest

import "sync"

var printed struct {
	sync.Mutex
	lines []string
}

func hostLog(_ LogLevel, message string) {
	printed.Lock()
	defer printed.Unlock()
	printed.lines = append(printed.lines, message)
}

// TakeLog gives the lines that plugins logged since the last call, in unit tests.
func TakeLog() []string {
	printed.Lock()
	defer printed.Unlock()
	lines := printed.lines
	printed.lines = nil
	return lines
}

// Export makes a plugin the component's; natively it does nothing, so that unit tests run like any other's.
func Export(Info, func() Transform) {}
