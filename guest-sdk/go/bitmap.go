// One bit a row: what keep and validity are made of.

package guest

import "math/bits"

// Bitmap is one bit for each row of a batch, least significant bit first.
type Bitmap struct {
	rows int
	// bytes beyond rows are zero.
	bytes []byte
}

// Filled is the same bit for every row.
func Filled(rows int, bit bool) Bitmap {
	b := Bitmap{rows, make([]byte, (rows+7)/8)}
	if bit {
		for at := range b.bytes {
			b.bytes[at] = 0xFF
		}
	}
	return b.trimmed()
}

// BitmapOf takes a bit from each row's index; rows are asked in ascending order.
func BitmapOf(rows int, bit func(row int) bool) Bitmap {
	b := Bitmap{rows, make([]byte, (rows+7)/8)}
	for row := 0; row < rows; row++ {
		if bit(row) {
			b.bytes[row>>3] |= 1 << (row & 7)
		}
	}
	return b
}

// bitmapFrom reads the interface's form; bits that it lacks are zero.
func bitmapFrom(raw []byte, rows int) Bitmap {
	b := Bitmap{rows, make([]byte, (rows+7)/8)}
	copy(b.bytes, raw)
	return b.trimmed()
}

// Rows is how many rows there are.
func (b Bitmap) Rows() int { return b.rows }

// Get is the bit of a row; beyond the end it is not set.
func (b Bitmap) Get(row int) bool {
	return row >= 0 && row < b.rows && b.bytes[row>>3]>>(row&7)&1 == 1
}

// Count is how many bits are set.
func (b Bitmap) Count() int {
	count := 0
	for _, eight := range b.bytes {
		count += bits.OnesCount8(eight)
	}
	return count
}

// And is set where both are.
func (b Bitmap) And(other Bitmap) Bitmap {
	return b.zip(other, func(x, y byte) byte { return x & y })
}

// Or is set where one is.
func (b Bitmap) Or(other Bitmap) Bitmap {
	return b.zip(other, func(x, y byte) byte { return x | y })
}

// AndNot is set where this is and the other is not.
func (b Bitmap) AndNot(other Bitmap) Bitmap {
	return b.zip(other, func(x, y byte) byte { return x &^ y })
}

// Not is set where this is not.
func (b Bitmap) Not() Bitmap {
	return Filled(b.rows, true).AndNot(b)
}

func (b Bitmap) zip(other Bitmap, join func(x, y byte) byte) Bitmap {
	joined := Bitmap{b.rows, make([]byte, len(b.bytes))}
	for at, ours := range b.bytes {
		var theirs byte
		if at < len(other.bytes) {
			theirs = other.bytes[at]
		}
		joined.bytes[at] = join(ours, theirs)
	}
	return joined.trimmed()
}

func (b Bitmap) trimmed() Bitmap {
	if used := b.rows & 7; used > 0 {
		b.bytes[len(b.bytes)-1] &= 1<<used - 1
	}
	return b
}
