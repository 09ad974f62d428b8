// Columns of a batch, read in place. A view checks lengths once; a row beyond the end reads as NULL.

package guest

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// ColumnBuffers are the buffers of a column as they cross the interface; wit/transform.wit gives their layout. They are
// valid within the call only.
type ColumnBuffers struct {
	// Validity is a bitmap, 1 = not null; nil when no row is null.
	Validity []byte
	// Offsets, for the types with offsets: rows + 1 times 4 bytes.
	Offsets []byte
	Data    []byte
}

// Column is one column of a batch.
type Column struct {
	rows     int
	dataType DataType
	buffers  ColumnBuffers
}

// NewColumn checks that the buffers hold as many rows as they should; its error has the code "column-length".
func NewColumn(buffers ColumnBuffers, dataType DataType, rows int) (*Column, error) {
	enough := len(buffers.Data) == (rows+7)/8
	switch {
	case dataType.IsVariable():
		enough = len(buffers.Offsets) == (rows+1)*4 && offsetsFit(buffers)
	case dataType.Width() > 0:
		enough = len(buffers.Data) == rows*dataType.Width()
	}
	if !enough || buffers.Validity != nil && len(buffers.Validity) != (rows+7)/8 {
		return nil, Fail("column-length", "a column of type %s is not %d rows long", dataType, rows)
	}
	return &Column{rows, dataType, buffers}, nil
}

// offsetsFit makes slicing by them safe.
func offsetsFit(buffers ColumnBuffers) bool {
	last := uint32(0)
	for at := 0; at+4 <= len(buffers.Offsets); at += 4 {
		offset := binary.LittleEndian.Uint32(buffers.Offsets[at:])
		if offset < last {
			return false
		}
		last = offset
	}
	return int(last) <= len(buffers.Data)
}

// Rows is how many rows it has.
func (c *Column) Rows() int { return c.rows }

// Type is its type.
func (c *Column) Type() DataType { return c.dataType }

// IsNull says whether a row is NULL.
func (c *Column) IsNull(row int) bool {
	return row < 0 || row >= c.rows || !valid(c.buffers.Validity, row)
}

// Validity is the rows that are not NULL.
func (c *Column) Validity() Bitmap {
	if c.buffers.Validity == nil {
		return Filled(c.rows, true)
	}
	return bitmapFrom(c.buffers.Validity, c.rows)
}

func (c *Column) wrong(asked string) error {
	return Fail("column-type", "a column of type %s cannot be read as %s", c.dataType, asked)
}

// Bytes is the column as bytes: utf8, json, binary. Its error has the code "column-type".
func (c *Column) Bytes() (Bytes, error) {
	if !c.dataType.IsVariable() {
		return Bytes{}, c.wrong("bytes")
	}
	return Bytes{c.rows, c.buffers}, nil
}

// Texts is the column as text: utf8, json. Its error has the code "column-type".
func (c *Column) Texts() (Texts, error) {
	isText := c.dataType.Kind == KindUTF8 || c.dataType.Kind == KindJSON
	if !isText || !utf8.Valid(c.buffers.Data) {
		return Texts{}, c.wrong("text")
	}
	return Texts{Bytes{c.rows, c.buffers}}, nil
}

// Booleans is the column as a bitmap; NULL is not set. Its error has the code "column-type".
func (c *Column) Booleans() (Bitmap, error) {
	if c.dataType.Kind != KindBoolean {
		return Bitmap{}, c.wrong("boolean")
	}
	bits := bitmapFrom(c.buffers.Data, c.rows)
	if c.buffers.Validity != nil {
		bits = bits.And(c.Validity())
	}
	return bits, nil
}

// Int64 is an integer of any width; false for NULL, other types and what does not fit.
func (c *Column) Int64(row int) (int64, bool) {
	if c.IsNull(row) || !c.dataType.IsInteger() {
		return 0, false
	}
	value := c.unsigned(row)
	if c.dataType.Kind >= KindUint8 {
		return int64(value), value <= math.MaxInt64
	}
	shift := 64 - 8*c.dataType.Width()
	return int64(value<<shift) >> shift, true
}

// Uint64 is an integer of any width; false for NULL, other types and negative numbers.
func (c *Column) Uint64(row int) (uint64, bool) {
	if c.dataType.Kind == KindUint64 && !c.IsNull(row) {
		return c.unsigned(row), true
	}
	value, fits := c.Int64(row)
	return uint64(value), fits && value >= 0
}

// Float64 is a float of either width; false for NULL and other types.
func (c *Column) Float64(row int) (float64, bool) {
	switch {
	case c.IsNull(row):
		return 0, false
	case c.dataType.Kind == KindFloat32:
		return float64(math.Float32frombits(uint32(c.unsigned(row)))), true
	case c.dataType.Kind == KindFloat64:
		return math.Float64frombits(c.unsigned(row)), true
	}
	return 0, false
}

// Boolean is a truth value; the second is false for NULL and other types.
func (c *Column) Boolean(row int) (bit, isThere bool) {
	if c.IsNull(row) || c.dataType.Kind != KindBoolean {
		return false, false
	}
	return valid(c.buffers.Data, row), true
}

// Decimal is false for NULL and other types.
func (c *Column) Decimal(row int) (Decimal, bool) {
	if c.IsNull(row) || c.dataType.Kind != KindDecimal {
		return Decimal{}, false
	}
	return Decimal{read128(c.buffers.Data[row*16:]), c.dataType.Scale}, true
}

// UTF8 is text (utf8 or json), copied; false for NULL and other types.
func (c *Column) UTF8(row int) (string, bool) {
	if c.dataType.Kind != KindUTF8 && c.dataType.Kind != KindJSON {
		return "", false
	}
	raw, isThere := c.Binary(row)
	return string(raw), isThere
}

// Binary is bytes (utf8, json or binary), in place; false for NULL and other types.
func (c *Column) Binary(row int) ([]byte, bool) {
	if !c.dataType.IsVariable() {
		return nil, false
	}
	return Bytes{c.rows, c.buffers}.Get(row)
}

// unsigned is the bits of a number of up to 8 bytes.
func (c *Column) unsigned(row int) uint64 {
	data := c.buffers.Data
	switch c.dataType.Width() {
	case 1:
		return uint64(data[row])
	case 2:
		return uint64(binary.LittleEndian.Uint16(data[row*2:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(data[row*4:]))
	case 8:
		return binary.LittleEndian.Uint64(data[row*8:])
	}
	return 0
}

// Native is a number as the interface stores it.
type Native interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | Int128
}

// Values is a column of numbers.
type Values[T Native] struct{ column *Column }

// ValuesOf is a column as numbers of one width: int32 for int32 and date, int64 for int64, time and timestamps, Int128
// for decimals (unscaled), and so on. Its error has the code "column-type".
func ValuesOf[T Native](c *Column) (Values[T], error) {
	if !stores[T](c.dataType) {
		var value T
		return Values[T]{}, c.wrong(nativeName(value))
	}
	return Values[T]{c}, nil
}

// Get is a value; false for NULL and beyond the end.
func (v Values[T]) Get(row int) (T, bool) {
	if v.column.IsNull(row) {
		var none T
		return none, false
	}
	return v.Slot(row), true
}

// Slot is a value without a look at whether it is NULL; a NULL's slot is zero. The row must be one of the batch.
func (v Values[T]) Slot(row int) T {
	var value T
	switch to := any(&value).(type) {
	case *int8:
		*to = int8(v.column.unsigned(row))
	case *int16:
		*to = int16(v.column.unsigned(row))
	case *int32:
		*to = int32(v.column.unsigned(row))
	case *int64:
		*to = int64(v.column.unsigned(row))
	case *uint8:
		*to = uint8(v.column.unsigned(row))
	case *uint16:
		*to = uint16(v.column.unsigned(row))
	case *uint32:
		*to = uint32(v.column.unsigned(row))
	case *uint64:
		*to = v.column.unsigned(row)
	case *float32:
		*to = math.Float32frombits(uint32(v.column.unsigned(row)))
	case *float64:
		*to = math.Float64frombits(v.column.unsigned(row))
	case *Int128:
		*to = read128(v.column.buffers.Data[row*16:])
	}
	return value
}

// Matching is the rows that are not NULL and that the function accepts.
func (v Values[T]) Matching(accept func(T) bool) Bitmap {
	return BitmapOf(v.column.rows, func(row int) bool {
		return valid(v.column.buffers.Validity, row) && accept(v.Slot(row))
	})
}

// Bytes is a column of byte strings.
type Bytes struct {
	rows    int
	buffers ColumnBuffers
}

// Get is a value, in place; false for NULL and beyond the end.
func (b Bytes) Get(row int) ([]byte, bool) {
	if row < 0 || row >= b.rows || !valid(b.buffers.Validity, row) {
		return nil, false
	}
	start := binary.LittleEndian.Uint32(b.buffers.Offsets[row*4:])
	end := binary.LittleEndian.Uint32(b.buffers.Offsets[row*4+4:])
	return b.buffers.Data[start:end:end], true
}

// Matching is the rows that are not NULL and that the function accepts.
func (b Bytes) Matching(accept func([]byte) bool) Bitmap {
	matching := Bitmap{b.rows, make([]byte, (b.rows+7)/8)}
	start := uint32(0)
	for row := 0; row < b.rows; row++ {
		end := binary.LittleEndian.Uint32(b.buffers.Offsets[row*4+4:])
		if valid(b.buffers.Validity, row) && accept(b.buffers.Data[start:end:end]) {
			matching.bytes[row>>3] |= 1 << (row & 7)
		}
		start = end
	}
	return matching
}

// Texts is a column of text.
type Texts struct{ bytes Bytes }

// Get is a value, copied; false for NULL and beyond the end.
func (t Texts) Get(row int) (string, bool) {
	raw, isThere := t.bytes.Get(row)
	return string(raw), isThere
}

// Matching is the rows that are not NULL and that the function accepts.
func (t Texts) Matching(accept func(string) bool) Bitmap {
	return t.bytes.Matching(func(raw []byte) bool { return accept(string(raw)) })
}

func valid(validity []byte, row int) bool {
	return validity == nil || validity[row>>3]>>(row&7)&1 == 1
}

func stores[T Native](dataType DataType) bool {
	var value T
	switch any(value).(type) {
	case int8:
		return dataType.Kind == KindInt8
	case int16:
		return dataType.Kind == KindInt16
	case int32:
		return dataType.Kind == KindInt32 || dataType.Kind == KindDate
	case int64:
		return dataType.Kind == KindInt64 || dataType.Kind >= KindTimeMicros && dataType.Kind <= KindTimestampMicrosLocal
	case uint8:
		return dataType.Kind == KindUint8
	case uint16:
		return dataType.Kind == KindUint16
	case uint32:
		return dataType.Kind == KindUint32
	case uint64:
		return dataType.Kind == KindUint64
	case float32:
		return dataType.Kind == KindFloat32
	case float64:
		return dataType.Kind == KindFloat64
	case Int128:
		return dataType.Kind == KindDecimal
	}
	return false
}

func nativeName(value any) string {
	switch value.(type) {
	case int8:
		return "int8"
	case int16:
		return "int16"
	case int32:
		return "int32"
	case int64:
		return "int64"
	case uint8:
		return "uint8"
	case uint16:
		return "uint16"
	case uint32:
		return "uint32"
	case uint64:
		return "uint64"
	case float32:
		return "float32"
	case float64:
		return "float64"
	}
	return "Int128"
}
