package guest

import "testing"

func orders() *TableSchema {
	return &TableSchema{
		Database: "shop", Table: "orders",
		Fields:    []Field{{Name: "id", Type: Int64}, {Name: "qty", Type: Int32, Nullable: true}, {Name: "region", Type: UTF8, Nullable: true}},
		IDColumns: []uint32{0},
	}
}

func TestEveryMistakeOfAPlanIsToldAtOnce(t *testing.T) {
	_, err := PlanOf(orders()).Rename("quantity", "x").Drop("id").Rename("qty", "REGION").Order("gone").Build()
	want := "plan: table shop.orders has no column `quantity` (it has: id, qty, region); order names `gone`, which the output of shop.orders has not (it has: REGION, region); the output has both `REGION` and `region`: names must differ by more than case; the id column `id` does not reach the output: keep it or name other id columns"
	if err == nil || err.Error() != want {
		t.Fatalf("%v", err)
	}
}

func TestAPlanThatChangesNothingHasNoOutput(t *testing.T) {
	plan, err := PlanOf(orders()).Build()
	if err != nil || plan.hasOutput || plan.hasProcess {
		t.Fatalf("%+v %v", plan, err)
	}
	swapped, err := PlanOf(orders()).Rename("qty", "region").Rename("region", "qty").Build()
	if err != nil || !swapped.hasOutput || swapped.output[1].name != "region" {
		t.Fatalf("%+v %v", swapped, err)
	}
}

func TestWhatWasPushedIsReadBack(t *testing.T) {
	texts := NewTextBuilder(3)
	texts.Push("a")
	texts.PushNull()
	texts.PushOption("", true)
	view, err := texts.Finish().View()
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := view.UTF8(0); v != "a" || !ok {
		t.Error(v, ok)
	}
	if !view.IsNull(1) || view.IsNull(2) || !view.IsNull(3) {
		t.Error("nulls")
	}
	var bits BooleanBuilder
	for row := 0; row < 9; row++ {
		bits.Push(row == 8)
	}
	bits.PushNull()
	view, _ = bits.Finish().View()
	if bit, ok := view.Boolean(8); !bit || !ok {
		t.Error("bit 8")
	}
	if _, ok := view.Boolean(9); ok {
		t.Error("NULL has no bit")
	}
	numbers, err := NewNumberBuilder[int8](Int8, 2)
	if err != nil {
		t.Fatal(err)
	}
	numbers.Push(-3)
	numbers.PushNull()
	view, _ = numbers.Finish().View()
	if v, ok := view.Int64(0); v != -3 || !ok {
		t.Error(v, ok)
	}
	if _, ok := view.Uint64(0); ok {
		t.Error("a negative number is no uint64")
	}
	if _, err := NewNumberBuilder[int32](Int64, 0); err == nil || err.Error() != "column-type: a column of type int64 cannot be built from int32" {
		t.Error(err)
	}
}

func TestADecimalReadsBackFromItsText(t *testing.T) {
	for _, text := range []string{"0", "-0.05", "12.30", "-1", "99999999999999999999999999999999999999"} {
		decimal, ok := ParseDecimal(text)
		if !ok || decimal.String() != text {
			t.Error(text, decimal, ok)
		}
	}
	for _, wrong := range []string{"", "-", ".", "1e3", "1.2.3", "0x1", "--1", "999999999999999999999999999999999999999"} {
		if decimal, ok := ParseDecimal(wrong); ok {
			t.Error(wrong, decimal)
		}
	}
}

func TestBuffersOfAnotherLengthAreRefused(t *testing.T) {
	cases := []struct {
		buffers  ColumnBuffers
		dataType DataType
	}{
		{ColumnBuffers{Data: make([]byte, 7)}, Int32},
		{ColumnBuffers{Data: []byte{}}, Boolean},
		{ColumnBuffers{Offsets: make([]byte, 8)}, UTF8},
		{ColumnBuffers{Offsets: []byte{0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0}, Data: []byte("ab")}, UTF8},
		{ColumnBuffers{Data: make([]byte, 8), Validity: []byte{}}, Int32},
	}
	for at, c := range cases {
		if _, err := NewColumn(c.buffers, c.dataType, 2); err == nil {
			t.Error("case", at)
		}
	}
}

func TestAMistakeOfAConfigurationHasItsPlace(t *testing.T) {
	var config struct {
		Inner struct {
			Count int `json:"count"`
		} `json:"inner"`
	}
	err := ParseConfig([]byte(`{"inner": {"count": "x"}}`), &config)
	if err == nil || err.Error() != "/inner/count: expected int, not string" {
		t.Error(err)
	}
	if err := ParseConfig([]byte(`{"other": 1}`), &config); err == nil || err.Error() != "the configuration: unknown field \"other\"" {
		t.Error(err)
	}
}

func TestACodeIsMadeToFit(t *testing.T) {
	if failure := Fail("Bad Value!", "%d", 1); failure.Code != "bad-value-" || failure.Detail != "1" {
		t.Error(failure)
	}
}
