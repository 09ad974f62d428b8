// A plugin between its configuration and its end, and the checks of what it answers. It runs natively too.

package guest

// Transform is a plugin.
type Transform interface {
	// Configure is called once an instance, before Plan. Its error is a *ConfigError: all mistakes at once, each with its
	// JSON Pointer.
	Configure(config []byte, attachments []Attachment, limits Limits) error
	// Plan is called once an instance and table schema. The same schema always gets the same plan. An error stops the
	// pipeline at this table.
	Plan(table *TableSchema) (Decision, error)
	// Process is called for each batch of a table whose plan reads or computes something, with what Plan gave to
	// Plan.With. A row that cannot be handled belongs in Edit.Reject; an error is a defect of the plugin and stops the
	// pipeline.
	Process(table any, batch *Batch) (*Edit, error)
}

// Info is what a plugin says of itself.
type Info struct {
	Name, Version string
	// ConfigSchema is a JSON Schema of the configuration, "" for none; the host checks it before Configure.
	ConfigSchema string
}

// Attachment is a file that the manifest hands over: a lookup table, a dictionary, a model.
type Attachment struct {
	Name string
	Data []byte
}

// Limits is what the operator allows; for sizing buffers, never for answers.
type Limits struct {
	MemoryBytes    uint64
	RowsMax        uint32
	OutputBytesMax uint64
}

// Instance is a plugin between Configure and its end.
type Instance struct {
	plugin Transform
	tables map[uint32]planned
}

type planned struct {
	table    any
	reads    []DataType
	computed []DataType
}

// NewInstance configures a plugin.
func NewInstance(plugin Transform, config []byte, attachments []Attachment, limits Limits) (*Instance, error) {
	if err := plugin.Configure(config, attachments, limits); err != nil {
		return nil, configErrorOf(err)
	}
	return &Instance{plugin, map[uint32]planned{}}, nil
}

// Plan asks the plugin what it does with a table, and keeps what it needs for that.
func (i *Instance) Plan(id uint32, table *TableSchema) (Decision, error) {
	if i == nil {
		return Decision{}, Fail("not-configured", "the plugin was not configured")
	}
	decision, err := i.plugin.Plan(table)
	if err != nil {
		return Decision{}, failureOf(err)
	}
	if decision.kind == decisionApply {
		if decision.plan == nil {
			return Decision{}, Fail("plan", "a plan that is nil")
		}
		i.tables[id] = planned{decision.table, decision.plan.readTypes, computedTypes(decision.plan)}
	}
	return decision, nil
}

func computedTypes(plan *Plan) []DataType {
	var slots []DataType
	for _, column := range plan.output {
		if column.source.kind == sourceComputed {
			for int(column.source.at) >= len(slots) {
				slots = append(slots, DataType{})
			}
			slots[column.source.at] = column.source.dataType
		}
	}
	return slots
}

// Process has the plugin edit a batch.
func (i *Instance) Process(id uint32, rows int, columns []ColumnBuffers) (*Edit, error) {
	if i == nil {
		return nil, Fail("not-configured", "the plugin was not configured")
	}
	table, known := i.tables[id]
	if !known {
		return nil, Fail("not-planned", "table id %d has no plan", id)
	}
	if len(columns) != len(table.reads) {
		return nil, Fail("column-count", "the plan reads %d columns, %d came", len(table.reads), len(columns))
	}
	batch := &Batch{rows: rows}
	for at, buffers := range columns {
		column, err := NewColumn(buffers, table.reads[at], rows)
		if err != nil {
			return nil, err
		}
		batch.columns = append(batch.columns, column)
	}
	edit, err := i.plugin.Process(table.table, batch)
	if err != nil {
		return nil, failureOf(err)
	}
	if edit == nil {
		edit = &Edit{}
	}
	return edit, checkEdit(edit, rows, table.computed)
}

// Release forgets a table's plan.
func (i *Instance) Release(id uint32) {
	if i != nil {
		delete(i.tables, id)
	}
}

// checkEdit tells the author in the plugin's own words; the host checks everything again.
func checkEdit(edit *Edit, rows int, computed []DataType) error {
	if edit.keep != nil && edit.keep.rows != rows {
		return Fail("edit", "keep has %d rows, the batch %d", edit.keep.rows, rows)
	}
	if len(edit.computed) != len(computed) {
		return Fail("edit", "the plan computes %d columns, the edit has %d", len(computed), len(edit.computed))
	}
	for slot, column := range edit.computed {
		if column.dataType != computed[slot] || column.rows != rows {
			return Fail("edit", "computed column %d is %s with %d rows, planned is %s with %d", slot, column.dataType, column.rows, computed[slot], rows)
		}
	}
	if edit.routes != nil && len(edit.routes.rows) != rows {
		return Fail("edit", "%d rows are routed, the batch has %d", len(edit.routes.rows), rows)
	}
	return nil
}

// LogLevel is how much a line matters.
type LogLevel uint8

// The levels, finest first.
const (
	LogTrace LogLevel = iota
	LogDebug
	LogInfo
	LogWarn
	LogError
)

// Log writes a line for the plugin's author: shown by `sluice test` and by `--plugin-logs`, otherwise dropped. It never
// affects results.
func Log(level LogLevel, message string) { hostLog(level, message) }
