// The rows of one call and the answer for them.

package guest

import (
	"sort"
	"strings"
)

// Batch is the rows of one call of Process.
type Batch struct {
	rows    int
	columns []*Column
}

// Rows is how many rows there are; at least one.
func (b *Batch) Rows() int { return b.rows }

// Columns are the columns, in the order of the plan's reads.
func (b *Batch) Columns() []*Column { return b.columns }

// Column is a column, by its place in the plan's reads. It panics where the plan reads fewer.
func (b *Batch) Column(at int) *Column { return b.columns[at] }

// Edit is the answer for one batch; everything is over ALL its rows. The zero value keeps every row.
type Edit struct {
	keep     *Bitmap
	computed []ComputedColumn
	routes   *RowRoutes
	rejected map[int]*Failure
}

// NewEdit has every row stay as the plan has it.
func NewEdit() *Edit { return &Edit{} }

// Keep has only the rows stay whose bit is set.
func Keep(keep Bitmap) *Edit { return &Edit{keep: &keep} }

// WithColumn adds the next computed column, in the order of the plan's computed columns.
func (e *Edit) WithColumn(column ComputedColumn) *Edit {
	e.computed = append(e.computed, column)
	return e
}

// WithRoutes gives each row its own route.
func (e *Edit) WithRoutes(routes *RowRoutes) *Edit {
	e.routes = routes
	return e
}

// Reject names a row that cannot be transformed; the first failure of a row counts.
func (e *Edit) Reject(row int, failure *Failure) {
	if e.rejected == nil {
		e.rejected = map[int]*Failure{}
	}
	if _, known := e.rejected[row]; !known {
		e.rejected[row] = failure
	}
}

func (e *Edit) rejectedRows() []int {
	rows := make([]int, 0, len(e.rejected))
	for row := range e.rejected {
		rows = append(rows, row)
	}
	sort.Ints(rows)
	return rows
}

// RowRoutes is route variables row by row. Its zero value is ready.
type RowRoutes struct {
	routes [][]Pair
	rows   []uint32
	known  map[string]uint32
}

// Route is the number of a set of variables; equal sets have the same number.
func (r *RowRoutes) Route(variables ...Pair) uint32 {
	var key strings.Builder
	for _, pair := range variables {
		key.WriteString(pair.Key + "\x00" + pair.Value + "\x00")
	}
	if number, known := r.known[key.String()]; known {
		return number
	}
	if r.known == nil {
		r.known = map[string]uint32{}
	}
	number := uint32(len(r.routes))
	r.known[key.String()] = number
	r.routes = append(r.routes, append([]Pair(nil), variables...))
	return number
}

// Push sends the next row the way that Route numbered.
func (r *RowRoutes) Push(route uint32) { r.rows = append(r.rows, route) }

// Computed are the computed columns so far.
func (e *Edit) Computed() []ComputedColumn { return e.computed }

// IsKept says whether a row reaches the target.
func (e *Edit) IsKept(row int) bool {
	return e.rejected[row] == nil && (e.keep == nil || e.keep.Get(row))
}

// RejectionOf is why a row cannot be transformed; nil where it can.
func (e *Edit) RejectionOf(row int) *Failure { return e.rejected[row] }

// RouteOf is the route variables that were set for this row alone.
func (e *Edit) RouteOf(row int) []Pair {
	if e.routes == nil || row >= len(e.routes.rows) || int(e.routes.rows[row]) >= len(e.routes.routes) {
		return nil
	}
	return e.routes.routes[e.routes.rows[row]]
}
