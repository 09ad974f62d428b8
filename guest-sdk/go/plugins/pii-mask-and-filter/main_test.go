package main

import (
	"reflect"
	"testing"

	"sluice/guest"
	"sluice/guest/guesttest"
)

func people() *guest.TableSchema {
	return guesttest.Table("shop", "people",
		guesttest.Column("id", guest.Int64), guesttest.Column("email", guest.UTF8), guesttest.Column("country", guest.UTF8))
}

func factory() guest.Transform { return &plugin{} }

func TestNamedColumnsAreHashedAndNamedRowsDropped(t *testing.T) {
	config := `{"mask": ["email"], "salt": "s", "drop": {"column": "country", "values": ["SE"]}}`
	rows := guesttest.Run(t, factory, config, people(), [][]any{
		{1, "a@x.io", "DE"}, {2, nil, nil}, {3, "b@x.io", "SE"},
	})
	want := []guesttest.Row{
		{Kept: true, Computed: []any{"016c0c48626fbad9e4682cc4e2ffc63c621728693208d8adb17ff0705590c36b"}},
		{Kept: true, Computed: []any{nil}},
	}
	if !reflect.DeepEqual(rows[:2], want) || rows[2].Kept {
		t.Errorf("%v", rows)
	}
}

func TestAHashWithoutASaltIsRefused(t *testing.T) {
	err := factory().Configure([]byte(`{"mask": ["email"]}`), nil, guest.Limits{})
	if err == nil || err.Error() != "/salt: a hash without a salt is found out by trying: give a secret text" {
		t.Error(err)
	}
}
