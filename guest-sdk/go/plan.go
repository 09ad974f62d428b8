// What a plugin decides once per table: output columns, id columns, route, and what it reads.

package guest

import (
	"fmt"
	"strings"
)

type decisionKind uint8

const (
	decisionExclude decisionKind = iota
	decisionPass
	decisionApply
)

// Decision is the answer to "what do you do with this table?".
type Decision struct {
	kind  decisionKind
	plan  *Plan
	table any
}

// Exclude: the table is not replicated; later plugins are not asked.
func Exclude() Decision { return Decision{kind: decisionExclude} }

// Pass: this plugin leaves the table alone.
func Pass() Decision { return Decision{kind: decisionPass} }

// Plan gives the plan of a decision; nil where the table is excluded or passed.
func (d Decision) Plan() *Plan { return d.plan }

// IsExclude says whether the table is not replicated.
func (d Decision) IsExclude() bool { return d.kind == decisionExclude }

type sourceKind uint8

const (
	sourceInput sourceKind = iota
	sourceCast
	sourceComputed
	sourceConstant
	sourceMetadata
)

// columnSource is where an output column comes from.
type columnSource struct {
	kind sourceKind
	// at is the field of an input or cast, the slot of a computed column.
	at       uint32
	dataType DataType
	nullable bool
	// text is a constant's, nil for NULL, or the name of a fact.
	text *string
}

func (s columnSource) field() (uint32, bool) {
	return s.at, s.kind == sourceInput || s.kind == sourceCast
}

type outputColumn struct {
	name   string
	source columnSource
}

// Plan is a plan as the host gets it; made by PlanOf.
type Plan struct {
	output     []outputColumn
	hasOutput  bool
	idColumns  []uint32
	hasIDs     bool
	route      []Pair
	reads      []uint32
	hasProcess bool
	readTypes  []DataType
	properties []Pair
}

// With is the decision to apply this plan, with what Process needs to know of the table.
func (p *Plan) With(table any) Decision { return Decision{kind: decisionApply, plan: p, table: table} }

// PlanBuilder builds a plan. Steps that change a column (Rename, Drop, Cast, Replace, Reads) name it as it comes IN;
// Order and IDColumns name columns as they go OUT. Mistakes are collected and reported together by Build. A plan
// without reads and computed columns costs nothing a row: Process is never called.
type PlanBuilder struct {
	table     *TableSchema
	columns   []outputColumn
	order     []string
	idColumns []string
	hasIDs    bool
	slots     uint32
	plan      Plan
	mistakes  []string
}

// PlanOf starts from the table as it comes: all columns, same id columns, same route.
func PlanOf(table *TableSchema) *PlanBuilder {
	b := &PlanBuilder{table: table}
	for at, field := range table.Fields {
		b.columns = append(b.columns, outputColumn{field.Name, columnSource{kind: sourceInput, at: uint32(at)}})
	}
	return b
}

// Rename gives an input column another name. Renames do not follow one another: a to b and b to a swaps the two.
func (b *PlanBuilder) Rename(from, to string) *PlanBuilder {
	if column := b.column(from); column != nil {
		column.name = to
	}
	return b
}

// Drop leaves an input column out.
func (b *PlanBuilder) Drop(name string) *PlanBuilder {
	if at, known := b.known(name); known {
		b.retain(func(field uint32) bool { return field != at })
	}
	return b
}

// KeepOnly leaves out all input columns but these. Columns that the plan added stay.
func (b *PlanBuilder) KeepOnly(names ...string) *PlanBuilder {
	kept := map[uint32]bool{}
	for _, name := range names {
		if at, known := b.known(name); known {
			kept[at] = true
		}
	}
	b.retain(func(field uint32) bool { return kept[field] })
	return b
}

// Order puts these output columns first, in this order; the others follow as they were.
func (b *PlanBuilder) Order(names ...string) *PlanBuilder {
	b.order = append(b.order, names...)
	return b
}

// Cast has the host convert an input column; a value that does not fit rejects its row with the code "cast".
func (b *PlanBuilder) Cast(name string, to DataType) *PlanBuilder {
	if column := b.column(name); column != nil {
		column.source = columnSource{kind: sourceCast, at: column.source.at, dataType: to}
	}
	return b
}

// Replace puts a computed column in the place of an input column, under its name.
func (b *PlanBuilder) Replace(name string, dataType DataType, nullable bool) *PlanBuilder {
	if column := b.column(name); column != nil {
		column.source = b.slot(dataType, nullable)
	}
	return b
}

// ReplaceConstant puts the same value in the place of an input column; nil is NULL.
func (b *PlanBuilder) ReplaceConstant(name string, dataType DataType, text *string) *PlanBuilder {
	if column := b.column(name); column != nil {
		column.source = columnSource{kind: sourceConstant, dataType: dataType, text: text}
	}
	return b
}

// Computed appends a column that Process makes. The edit gives computed columns in the order in which Computed and Replace
// were called.
func (b *PlanBuilder) Computed(name string, dataType DataType, nullable bool) *PlanBuilder {
	b.columns = append(b.columns, outputColumn{name, b.slot(dataType, nullable)})
	return b
}

// Constant appends a column with the same value in every row, in the text form of docs/reference/text-values.md.
func (b *PlanBuilder) Constant(name string, dataType DataType, text *string) *PlanBuilder {
	b.columns = append(b.columns, outputColumn{name, columnSource{kind: sourceConstant, dataType: dataType, text: text}})
	return b
}

// Metadata appends a column with a fact about the change, such as "op".
func (b *PlanBuilder) Metadata(fact, name string) *PlanBuilder {
	b.columns = append(b.columns, outputColumn{name, columnSource{kind: sourceMetadata, text: &fact}})
	return b
}

// IDColumns is the key of the target, as output columns.
func (b *PlanBuilder) IDColumns(names ...string) *PlanBuilder {
	b.idColumns, b.hasIDs = append([]string{}, names...), true
	return b
}

// Route sets or overwrites a placeholder of the target path for all rows.
func (b *PlanBuilder) Route(variable, value string) *PlanBuilder {
	b.plan.route = append(b.plan.route, Pair{variable, value})
	return b
}

// RowRoute says that Process may set this placeholder row by row, with RowRoutes.
func (b *PlanBuilder) RowRoute(variable string) *PlanBuilder {
	return b.Property(rowRouteProperty, variable)
}

// Reads names the input columns that Process gets, in this order. With it (even without a column) Process is called
// for every batch.
func (b *PlanBuilder) Reads(names ...string) *PlanBuilder {
	b.plan.hasProcess = true
	for _, name := range names {
		if at, known := b.known(name); known {
			b.plan.reads = append(b.plan.reads, at)
			b.plan.readTypes = append(b.plan.readTypes, b.table.Fields[at].Type)
		}
	}
	return b
}

// Property adds a documented key and its value; the host refuses keys that it does not know.
func (b *PlanBuilder) Property(key, value string) *PlanBuilder {
	b.plan.properties = append(b.plan.properties, Pair{key, value})
	return b
}

// Build is the plan. Its error has the code "plan" and every mistake: columns that the table does not have, output names
// that differ by case only or not at all, id columns that were dropped.
func (b *PlanBuilder) Build() (*Plan, error) {
	b.putInOrder()
	b.checkNames()
	b.resolveIDColumns()
	if len(b.mistakes) > 0 {
		return nil, Fail("plan", "%s", strings.Join(b.mistakes, "; "))
	}
	plan := b.plan
	plan.hasProcess = plan.hasProcess || b.slots > 0
	plan.hasOutput = len(b.columns) != len(b.table.Fields)
	for at, column := range b.columns {
		if plan.hasOutput {
			break
		}
		same := column.source.kind == sourceInput && column.source.at == uint32(at)
		plan.hasOutput = !same || column.name != b.table.Fields[at].Name
	}
	if plan.hasOutput {
		plan.output = b.columns
	}
	return &plan, nil
}

func (b *PlanBuilder) putInOrder() {
	var first []outputColumn
	for _, name := range b.order {
		at := outputAt(b.columns, name)
		switch {
		case at >= 0:
			first = append(first, b.columns[at])
			b.columns = append(b.columns[:at:at], b.columns[at+1:]...)
		case outputAt(first, name) >= 0:
			b.mistake("`%s` stands twice in the order", name)
		default:
			b.noOutput("order", name)
		}
	}
	b.columns = append(first, b.columns...)
}

func (b *PlanBuilder) checkNames() {
	for at, column := range b.columns {
		for _, earlier := range b.columns[:at] {
			if strings.EqualFold(earlier.name, column.name) {
				b.mistake("the output has both `%s` and `%s`: names must differ by more than case", earlier.name, column.name)
				break
			}
		}
	}
}

func (b *PlanBuilder) resolveIDColumns() {
	if b.hasIDs {
		for _, name := range b.idColumns {
			if at := outputAt(b.columns, name); at >= 0 {
				b.plan.idColumns = append(b.plan.idColumns, uint32(at))
			} else {
				b.noOutput("id-columns", name)
			}
		}
		b.plan.hasIDs = true
		return
	}
	for _, id := range b.table.IDColumns {
		carried := false
		for _, column := range b.columns {
			field, isField := column.source.field()
			carried = carried || isField && field == id
		}
		if !carried && int(id) < len(b.table.Fields) {
			b.mistake("the id column `%s` does not reach the output: keep it or name other id columns", b.table.Fields[id].Name)
		}
	}
}

func (b *PlanBuilder) noOutput(step, name string) {
	names := make([]string, 0, len(b.columns))
	for _, column := range b.columns {
		names = append(names, column.name)
	}
	b.mistake("%s names `%s`, which the output of %s.%s has not (it has: %s)", step, name, b.table.Database, b.table.Table, strings.Join(names, ", "))
}

func (b *PlanBuilder) mistake(format string, arguments ...any) {
	b.mistakes = append(b.mistakes, fmt.Sprintf(format, arguments...))
}

func (b *PlanBuilder) slot(dataType DataType, nullable bool) columnSource {
	slot := b.slots
	b.slots++
	return columnSource{kind: sourceComputed, at: slot, dataType: dataType, nullable: nullable}
}

func (b *PlanBuilder) known(name string) (uint32, bool) {
	at, _, found := b.table.Find(name)
	if !found {
		b.mistakes = append(b.mistakes, b.table.unknown(name))
	}
	return at, found
}

func (b *PlanBuilder) column(name string) *outputColumn {
	at, known := b.known(name)
	if !known {
		return nil
	}
	for i := range b.columns {
		if field, isField := b.columns[i].source.field(); isField && field == at {
			return &b.columns[i]
		}
	}
	b.mistake("`%s` was dropped or replaced by an earlier step", name)
	return nil
}

func (b *PlanBuilder) retain(keep func(field uint32) bool) {
	var kept []outputColumn
	for _, column := range b.columns {
		if field, isField := column.source.field(); !isField || keep(field) {
			kept = append(kept, column)
		}
	}
	b.columns = kept
}

func outputAt(columns []outputColumn, name string) int {
	for at, column := range columns {
		if column.name == name {
			return at
		}
	}
	return -1
}

// HasProcess says whether Process is called for this table at all.
func (p *Plan) HasProcess() bool { return p.hasProcess }

// ReadFields are the input fields that Process gets, in order.
func (p *Plan) ReadFields() []uint32 { return p.reads }
