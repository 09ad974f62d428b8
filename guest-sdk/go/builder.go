// Builders of computed columns: one push a row, then Finish.

package guest

import (
	"encoding/binary"
	"math"
)

// ComputedColumn is a computed column, ready for an edit.
type ComputedColumn struct {
	dataType DataType
	rows     int
	buffers  ColumnBuffers
}

// View reads the column back.
func (c ComputedColumn) View() (*Column, error) { return NewColumn(c.buffers, c.dataType, c.rows) }

// validity notes NULLs only once there is one.
type validity struct {
	rows int
	bits []byte
}

func (v *validity) push(isThere bool) {
	if !isThere && v.bits == nil {
		v.bits = make([]byte, v.rows>>3, v.rows>>3+64)
		for at := range v.bits {
			v.bits[at] = 0xFF
		}
		if v.rows&7 > 0 {
			v.bits = append(v.bits, 1<<(v.rows&7)-1)
		}
	}
	if v.bits != nil {
		v.bits = pushBit(v.bits, v.rows, isThere)
	}
	v.rows++
}

func pushBit(bits []byte, row int, bit bool) []byte {
	if row&7 == 0 {
		bits = append(bits, 0)
	}
	if bit {
		bits[row>>3] |= 1 << (row & 7)
	}
	return bits
}

// BytesBuilder builds a column of binary.
type BytesBuilder struct {
	dataType DataType
	validity validity
	offsets  []byte
	data     []byte
}

// NewBytesBuilder has room for so many values.
func NewBytesBuilder(rows int) *BytesBuilder { return bytesBuilder(Binary, rows) }

func bytesBuilder(dataType DataType, rows int) *BytesBuilder {
	b := &BytesBuilder{dataType: dataType, offsets: make([]byte, 4, (rows+1)*4)}
	return b
}

// Push adds a row.
func (b *BytesBuilder) Push(value []byte) {
	b.data = append(b.data, value...)
	b.row(true)
}

// PushNull adds a row that is NULL.
func (b *BytesBuilder) PushNull() { b.row(false) }

// PushOption adds a row, NULL where there is no value.
func (b *BytesBuilder) PushOption(value []byte, isThere bool) {
	if isThere {
		b.data = append(b.data, value...)
	}
	b.row(isThere)
}

// Finish is the column.
func (b *BytesBuilder) Finish() ComputedColumn {
	return ComputedColumn{b.dataType, b.validity.rows, ColumnBuffers{b.validity.bits, b.offsets, b.data}}
}

func (b *BytesBuilder) row(isThere bool) {
	b.offsets = binary.LittleEndian.AppendUint32(b.offsets, uint32(len(b.data)))
	b.validity.push(isThere)
}

// TextBuilder builds a column of utf8 or json.
type TextBuilder struct{ bytes *BytesBuilder }

// NewTextBuilder is of type utf8, with room for so many values.
func NewTextBuilder(rows int) *TextBuilder { return &TextBuilder{bytesBuilder(UTF8, rows)} }

// NewJSONBuilder is of type json; what is pushed must be JSON.
func NewJSONBuilder(rows int) *TextBuilder { return &TextBuilder{bytesBuilder(JSON, rows)} }

// Push adds a row; it must be UTF-8.
func (b *TextBuilder) Push(value string) {
	b.bytes.data = append(b.bytes.data, value...)
	b.bytes.row(true)
}

// PushNull adds a row that is NULL.
func (b *TextBuilder) PushNull() { b.bytes.row(false) }

// PushOption adds a row, NULL where there is no value.
func (b *TextBuilder) PushOption(value string, isThere bool) {
	if isThere {
		b.bytes.data = append(b.bytes.data, value...)
	}
	b.bytes.row(isThere)
}

// Finish is the column.
func (b *TextBuilder) Finish() ComputedColumn { return b.bytes.Finish() }

// NumberBuilder builds a column of numbers, dates, times, timestamps or decimals.
type NumberBuilder[T Native] struct {
	dataType DataType
	validity validity
	data     []byte
}

// NewNumberBuilder has room for so many values. Its error has the code "column-type" where T is not how this type is
// stored (see ValuesOf).
func NewNumberBuilder[T Native](dataType DataType, rows int) (*NumberBuilder[T], error) {
	if !stores[T](dataType) {
		var value T
		return nil, Fail("column-type", "a column of type %s cannot be built from %s", dataType, nativeName(value))
	}
	return &NumberBuilder[T]{dataType: dataType, data: make([]byte, 0, rows*dataType.Width())}, nil
}

// Push adds a row.
func (b *NumberBuilder[T]) Push(value T) {
	switch number := any(value).(type) {
	case int8:
		b.data = append(b.data, byte(number))
	case uint8:
		b.data = append(b.data, number)
	case int16:
		b.data = binary.LittleEndian.AppendUint16(b.data, uint16(number))
	case uint16:
		b.data = binary.LittleEndian.AppendUint16(b.data, number)
	case int32:
		b.data = binary.LittleEndian.AppendUint32(b.data, uint32(number))
	case uint32:
		b.data = binary.LittleEndian.AppendUint32(b.data, number)
	case float32:
		b.data = binary.LittleEndian.AppendUint32(b.data, math.Float32bits(number))
	case int64:
		b.data = binary.LittleEndian.AppendUint64(b.data, uint64(number))
	case uint64:
		b.data = binary.LittleEndian.AppendUint64(b.data, number)
	case float64:
		b.data = binary.LittleEndian.AppendUint64(b.data, math.Float64bits(number))
	case Int128:
		b.data = binary.LittleEndian.AppendUint64(b.data, number.Low)
		b.data = binary.LittleEndian.AppendUint64(b.data, uint64(number.High))
	}
	b.validity.push(true)
}

// PushNull adds a row that is NULL.
func (b *NumberBuilder[T]) PushNull() {
	b.data = append(b.data, make([]byte, b.dataType.Width())...)
	b.validity.push(false)
}

// PushOption adds a row, NULL where there is no value.
func (b *NumberBuilder[T]) PushOption(value T, isThere bool) {
	if isThere {
		b.Push(value)
	} else {
		b.PushNull()
	}
}

// Finish is the column.
func (b *NumberBuilder[T]) Finish() ComputedColumn {
	return ComputedColumn{b.dataType, b.validity.rows, ColumnBuffers{b.validity.bits, nil, b.data}}
}

// BooleanBuilder builds a column of truth values. Its zero value is ready.
type BooleanBuilder struct {
	validity validity
	bits     []byte
}

// Push adds a row.
func (b *BooleanBuilder) Push(bit bool) { b.PushOption(bit, true) }

// PushNull adds a row that is NULL.
func (b *BooleanBuilder) PushNull() { b.PushOption(false, false) }

// PushOption adds a row, NULL where there is no value.
func (b *BooleanBuilder) PushOption(bit, isThere bool) {
	b.bits = pushBit(b.bits, b.validity.rows, bit && isThere)
	b.validity.push(isThere)
}

// Finish is the column.
func (b *BooleanBuilder) Finish() ComputedColumn {
	return ComputedColumn{Boolean, b.validity.rows, ColumnBuffers{b.validity.bits, nil, b.bits}}
}

// Buffers are the column's buffers as they cross the interface.
func (c ComputedColumn) Buffers() ColumnBuffers { return c.buffers }
