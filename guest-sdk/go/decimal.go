// Decimal numbers: 128 bits, two's complement, and a scale.

package guest

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// Int128 is a two's complement number of 128 bits.
type Int128 struct {
	High int64
	Low  uint64
}

// Int128Of widens an integer.
func Int128Of(value int64) Int128 { return Int128{value >> 63, uint64(value)} }

func read128(raw []byte) Int128 {
	return Int128{int64(binary.LittleEndian.Uint64(raw[8:])), binary.LittleEndian.Uint64(raw)}
}

// Negated is the number with the other sign.
func (n Int128) Negated() Int128 {
	low, carry := bits.Add64(^n.Low, 1, 0)
	return Int128{int64(^uint64(n.High) + carry), low}
}

// Compare is -1, 0 or 1.
func (n Int128) Compare(other Int128) int {
	switch {
	case n == other:
		return 0
	case n.High < other.High, n.High == other.High && n.Low < other.Low:
		return -1
	}
	return 1
}

func (n Int128) String() string { return Decimal{Unscaled: n}.String() }

// Decimal is a decimal number.
type Decimal struct {
	Unscaled Int128
	// Scale is the digits behind the point.
	Scale uint8
}

// ParseDecimal reads digits with an optional sign and point; false for anything else and beyond 38 digits.
func ParseDecimal(text string) (Decimal, bool) {
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 {
		return Decimal{}, false
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	significant := strings.TrimLeft(whole+fraction, "0")
	if whole+fraction == "" || len(significant) > 38 || len(fraction) > 38 {
		return Decimal{}, false
	}
	var value Int128
	for _, digit := range []byte(significant) {
		if digit < '0' || digit > '9' {
			return Decimal{}, false
		}
		carry, low := bits.Mul64(value.Low, 10)
		low, over := bits.Add64(low, uint64(digit-'0'), 0)
		value = Int128{int64(uint64(value.High)*10 + carry + over), low}
	}
	if text[0] == '-' {
		value = value.Negated()
	}
	return Decimal{value, uint8(len(fraction))}, true
}

func (d Decimal) String() string {
	magnitude := d.Unscaled
	sign := ""
	if magnitude.High < 0 {
		magnitude, sign = magnitude.Negated(), "-"
	}
	high, low := uint64(magnitude.High), magnitude.Low
	var digits []byte
	for high > 0 || low > 0 {
		var rest uint64
		high, rest = high/10, high%10
		low, rest = bits.Div64(rest, low, 10)
		digits = append(digits, byte('0'+rest))
	}
	for len(digits) <= int(d.Scale) {
		digits = append(digits, '0')
	}
	var text strings.Builder
	text.WriteString(sign)
	for at := len(digits) - 1; at >= 0; at-- {
		text.WriteByte(digits[at])
		if at == int(d.Scale) && at > 0 {
			text.WriteByte('.')
		}
	}
	return text.String()
}
