// Package guesttest runs a plugin's Plan and Process without a host, for unit tests. Every run is done three times, over
// the whole batch, row by row and in a fresh instance, and must give the same answer each time, as the host's replays
// demand.
package guesttest

import (
	"fmt"
	"reflect"
	"testing"

	"sluice/guest"
)

// Table is a table without columns yet.
func Table(database, name string, fields ...guest.Field) *guest.TableSchema {
	return &guest.TableSchema{
		Database: database, Table: name, Fields: fields, PrimaryKey: []uint32{}, UniqueKeys: []guest.UniqueKey{},
		Route: []guest.Pair{{Key: "db", Value: database}, {Key: "table", Value: name}},
	}
}

// Column is a nullable column.
func Column(name string, dataType guest.DataType) guest.Field {
	return guest.Field{Name: name, Type: dataType, Nullable: true}
}

// Row is what became of one row.
type Row struct {
	// Kept says whether it reaches the target.
	Kept bool
	// Computed are the computed columns, in the order of the plan; nil is NULL.
	Computed []any
	// Route are the variables that the plugin set for this row alone.
	Route []guest.Pair
	// Rejected is why it cannot be transformed; nil where it can.
	Rejected *guest.Failure
}

// Run configures a plugin, plans the table and processes rows. A row is its values in the table's column order: bool,
// int, float64, string (utf8, json and decimals), []byte, nil.
func Run(t testing.TB, factory func() guest.Transform, config string, table *guest.TableSchema, rows [][]any) []Row {
	t.Helper()
	whole := run(t, factory, config, table, rows)
	if again := run(t, factory, config, table, rows); !reflect.DeepEqual(whole, again) {
		t.Fatalf("impure: a fresh instance answers otherwise\n%v\n%v", whole, again)
	}
	for at, row := range rows {
		if alone := run(t, factory, config, table, [][]any{row}); !reflect.DeepEqual(alone[0], whole[at]) {
			t.Fatalf("impure: row %d alone is answered otherwise\n%v\n%v", at, whole[at], alone[0])
		}
	}
	return whole
}

func run(t testing.TB, factory func() guest.Transform, config string, table *guest.TableSchema, rows [][]any) []Row {
	t.Helper()
	limits := guest.Limits{MemoryBytes: 64 << 20, RowsMax: 65_536, OutputBytesMax: 64 << 20}
	instance, err := guest.NewInstance(factory(), []byte(config), nil, limits)
	if err != nil {
		t.Fatal(err)
	}
	decision, err := instance.Plan(0, table)
	if err != nil {
		t.Fatal(err)
	}
	if decision.IsExclude() {
		return make([]Row, len(rows))
	}
	edit := guest.NewEdit()
	if plan := decision.Plan(); plan != nil && plan.HasProcess() {
		var columns []guest.ColumnBuffers
		for _, at := range plan.ReadFields() {
			column, err := buffers(table.Fields[at].Type, int(at), rows)
			if err != nil {
				t.Fatalf("column %s: %v", table.Fields[at].Name, err)
			}
			columns = append(columns, column)
		}
		if edit, err = instance.Process(0, len(rows), columns); err != nil {
			t.Fatal(err)
		}
	}
	out := make([]Row, len(rows))
	for at := range rows {
		out[at] = answer(t, edit, at)
	}
	return out
}

func answer(t testing.TB, edit *guest.Edit, at int) Row {
	row := Row{Kept: edit.IsKept(at), Route: edit.RouteOf(at), Rejected: edit.RejectionOf(at)}
	for _, computed := range edit.Computed() {
		view, err := computed.View()
		if err != nil {
			t.Fatal(err)
		}
		row.Computed = append(row.Computed, Value(view, at))
	}
	return row
}

// Value is a value of a column: bool, int64, uint64, float64, string, []byte, or nil for NULL.
func Value(column *guest.Column, row int) any {
	switch kind := column.Type().Kind; {
	case column.IsNull(row):
		return nil
	case kind == guest.KindBoolean:
		bit, _ := column.Boolean(row)
		return bit
	case kind == guest.KindUint64:
		value, _ := column.Uint64(row)
		return value
	case column.Type().IsInteger():
		value, _ := column.Int64(row)
		return value
	case kind == guest.KindFloat32, kind == guest.KindFloat64:
		value, _ := column.Float64(row)
		return value
	case kind == guest.KindDecimal:
		value, _ := column.Decimal(row)
		return value.String()
	case kind == guest.KindDate:
		days, _ := guest.ValuesOf[int32](column)
		return int64(days.Slot(row))
	case kind == guest.KindBinary:
		value, _ := column.Binary(row)
		return append([]byte{}, value...)
	case column.Type().IsVariable():
		value, _ := column.UTF8(row)
		return value
	}
	micros, _ := guest.ValuesOf[int64](column)
	return micros.Slot(row)
}

func buffers(dataType guest.DataType, at int, rows [][]any) (guest.ColumnBuffers, error) {
	switch dataType.Kind {
	case guest.KindBoolean:
		var builder guest.BooleanBuilder
		return filled(rows, at, builder.Push, builder.PushNull, builder.Finish)
	case guest.KindUTF8:
		builder := guest.NewTextBuilder(len(rows))
		return filled(rows, at, builder.Push, builder.PushNull, builder.Finish)
	case guest.KindJSON:
		builder := guest.NewJSONBuilder(len(rows))
		return filled(rows, at, builder.Push, builder.PushNull, builder.Finish)
	case guest.KindBinary:
		builder := guest.NewBytesBuilder(len(rows))
		return filled(rows, at, builder.Push, builder.PushNull, builder.Finish)
	case guest.KindInt8:
		return integers[int8](dataType, rows, at)
	case guest.KindInt16:
		return integers[int16](dataType, rows, at)
	case guest.KindInt32, guest.KindDate:
		return integers[int32](dataType, rows, at)
	case guest.KindUint8:
		return integers[uint8](dataType, rows, at)
	case guest.KindUint16:
		return integers[uint16](dataType, rows, at)
	case guest.KindUint32:
		return integers[uint32](dataType, rows, at)
	case guest.KindUint64:
		return integers[uint64](dataType, rows, at)
	case guest.KindFloat32:
		builder, _ := guest.NewNumberBuilder[float32](dataType, len(rows))
		return filled(rows, at, func(v float64) { builder.Push(float32(v)) }, builder.PushNull, builder.Finish)
	case guest.KindFloat64:
		builder, _ := guest.NewNumberBuilder[float64](dataType, len(rows))
		return filled(rows, at, builder.Push, builder.PushNull, builder.Finish)
	case guest.KindDecimal:
		builder, _ := guest.NewNumberBuilder[guest.Int128](dataType, len(rows))
		push := func(v string) {
			decimal, _ := guest.ParseDecimal(v)
			builder.Push(decimal.Unscaled)
		}
		return filled(rows, at, push, builder.PushNull, builder.Finish)
	}
	return integers[int64](dataType, rows, at)
}

func integers[T interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
	guest.Native
}](dataType guest.DataType, rows [][]any, at int) (guest.ColumnBuffers, error) {
	builder, err := guest.NewNumberBuilder[T](dataType, len(rows))
	if err != nil {
		return guest.ColumnBuffers{}, err
	}
	return filled(rows, at, func(v int) { builder.Push(T(v)) }, builder.PushNull, builder.Finish)
}

func filled[T any](rows [][]any, at int, push func(T), null func(), finish func() guest.ComputedColumn) (guest.ColumnBuffers, error) {
	for number, row := range rows {
		switch value := row[at].(type) {
		case nil:
			null()
		case T:
			push(value)
		default:
			return guest.ColumnBuffers{}, fmt.Errorf("row %d is %T", number, value)
		}
	}
	return finish().Buffers(), nil
}
