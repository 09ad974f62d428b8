// Tables as a plugin sees them: names, types, keys, id columns, route. The shapes are those of wit/transform.wit.

package guest

import (
	"fmt"
	"strings"
)

// rowRouteProperty names a route variable whose value differs from row to row.
const rowRouteProperty = "row-route"

// Kind is a logical type without its arguments, numbered as the interface does.
type Kind uint8

// The logical types; wit/transform.wit says which types of MySQL arrive as which.
const (
	KindBoolean Kind = iota
	KindInt8
	KindInt16
	KindInt32
	KindInt64
	KindUint8
	KindUint16
	KindUint32
	KindUint64
	KindFloat32
	KindFloat64
	KindDecimal
	KindDate
	KindTimeMicros
	KindTimestampMicrosUTC
	KindTimestampMicrosLocal
	KindUTF8
	KindBinary
	KindJSON
)

var kindNames = [...]string{
	"boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "decimal",
	"date", "time-micros", "timestamp-micros-utc", "timestamp-micros-local", "utf8", "binary", "json",
}

// Bytes of a value; 0 for the bitmap of booleans and for the types with offsets.
var kindWidths = [...]int{0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 16, 4, 8, 8, 8, 0, 0, 0}

// DataType is the logical type of a column.
type DataType struct {
	Kind Kind
	// Precision (1 to 38) and Scale are those of a decimal, otherwise 0.
	Precision, Scale uint8
}

// The types without arguments.
var (
	Boolean              = DataType{Kind: KindBoolean}
	Int8                 = DataType{Kind: KindInt8}
	Int16                = DataType{Kind: KindInt16}
	Int32                = DataType{Kind: KindInt32}
	Int64                = DataType{Kind: KindInt64}
	Uint8                = DataType{Kind: KindUint8}
	Uint16               = DataType{Kind: KindUint16}
	Uint32               = DataType{Kind: KindUint32}
	Uint64               = DataType{Kind: KindUint64}
	Float32              = DataType{Kind: KindFloat32}
	Float64              = DataType{Kind: KindFloat64}
	Date                 = DataType{Kind: KindDate}
	TimeMicros           = DataType{Kind: KindTimeMicros}
	TimestampMicrosUTC   = DataType{Kind: KindTimestampMicrosUTC}
	TimestampMicrosLocal = DataType{Kind: KindTimestampMicrosLocal}
	UTF8                 = DataType{Kind: KindUTF8}
	Binary               = DataType{Kind: KindBinary}
	JSON                 = DataType{Kind: KindJSON}
)

// DecimalOf is the decimal type of this precision and scale.
func DecimalOf(precision, scale uint8) DataType {
	return DataType{Kind: KindDecimal, Precision: precision, Scale: scale}
}

// IsVariable says whether values are offsets and bytes.
func (t DataType) IsVariable() bool { return t.Kind >= KindUTF8 }

// IsInteger says whether it is one of the eight integer types.
func (t DataType) IsInteger() bool { return t.Kind >= KindInt8 && t.Kind <= KindUint64 }

// Width is the bytes of a value; 0 for booleans and for the types with offsets.
func (t DataType) Width() int {
	if int(t.Kind) < len(kindWidths) {
		return kindWidths[t.Kind]
	}
	return 0
}

func (t DataType) String() string {
	if t.Kind == KindDecimal {
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	}
	if int(t.Kind) < len(kindNames) {
		return kindNames[t.Kind]
	}
	return "unknown"
}

// Pair is a key and its value: a property, or a route variable.
type Pair struct{ Key, Value string }

// Field is one column of a table.
type Field struct {
	Name     string
	Type     DataType
	Nullable bool
	// SourceType is the source's own type in lower case and without arguments; "" for a column that an earlier plugin
	// made.
	SourceType string
	// Properties: "charset", "labels" (JSON array), "srid", "generated", "invisible" where they are known.
	Properties []Pair
}

// UniqueKey identifies a row: whole columns, none of them nullable.
type UniqueKey struct {
	Name string
	// Fields are indexes into the table's fields, in key order.
	Fields []uint32
}

// TableSchema is a table as it reaches this plugin: the source's, or what the plugin before it made of it.
type TableSchema struct {
	// Database and Table are the names at the source.
	Database, Table string
	Fields          []Field
	// PrimaryKey is indexes into Fields, in key order. nil: not known. Empty: there is none.
	PrimaryKey []uint32
	// UniqueKeys: nil: not known. Empty: there is none.
	UniqueKeys []UniqueKey
	// IDColumns is what the manifest and the plugins before this one decided, as indexes into Fields.
	IDColumns []uint32
	// Route is what the plugins before this one decided, with "db" and "table".
	Route []Pair
	// Properties is what else is known, by documented keys; ignore those that you do not know.
	Properties []Pair
}

// Find gives a field with its index, by exact name.
func (t *TableSchema) Find(name string) (uint32, *Field, bool) {
	for at := range t.Fields {
		if t.Fields[at].Name == name {
			return uint32(at), &t.Fields[at], true
		}
	}
	return 0, nil, false
}

// Field is the same as Find, where a missing column is a mistake of the configuration: its error has the code
// "unknown-column" and lists the columns that there are.
func (t *TableSchema) Field(name string) (uint32, *Field, error) {
	if at, field, found := t.Find(name); found {
		return at, field, nil
	}
	return 0, nil, Fail("unknown-column", "%s", t.unknown(name))
}

// Lacks says whether no column has this name, however it is written: only then may a configuration pass over a missing
// column, since `Email` for `email` is a slip.
func (t *TableSchema) Lacks(name string) bool {
	_, _, found := t.Find(name)
	return !found && t.twin(name) == ""
}

// Variable is the value of a route variable as the plugins before this one left it.
func (t *TableSchema) Variable(name string) (string, bool) {
	for _, pair := range t.Route {
		if pair.Key == name {
			return pair.Value, true
		}
	}
	return "", false
}

// DiffersByRow says whether a plugin before this one sets a route variable row by row.
func (t *TableSchema) DiffersByRow(variable string) bool {
	for _, pair := range t.Properties {
		if pair.Key == rowRouteProperty && pair.Value == variable {
			return true
		}
	}
	return false
}

func (t *TableSchema) twin(name string) string {
	for _, field := range t.Fields {
		if field.Name != name && strings.EqualFold(field.Name, name) {
			return field.Name
		}
	}
	return ""
}

func (t *TableSchema) unknown(name string) string {
	names := make([]string, 0, len(t.Fields))
	for _, field := range t.Fields {
		names = append(names, field.Name)
	}
	text := fmt.Sprintf("table %s.%s has no column `%s` (it has: %s)", t.Database, t.Table, name, strings.Join(names, ", "))
	if twin := t.twin(name); twin != "" {
		text += fmt.Sprintf("; `%s` differs in case only", twin)
	}
	return text
}
