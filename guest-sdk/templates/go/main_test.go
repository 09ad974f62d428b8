package main

import (
	"testing"

	"sluice/guest"
	"sluice/guest/guesttest"
)

func TestOnlyRowsWithTheValueAreKept(t *testing.T) {
	orders := guesttest.Table("shop", "orders", guesttest.Column("id", guest.Int64), guesttest.Column("region", guest.UTF8))
	factory := func() guest.Transform { return &keepWhere{} }
	rows := guesttest.Run(t, factory, `{"column": "region", "value": "eu"}`, orders, [][]any{{1, "eu"}, {2, "us"}, {3, nil}})
	if !rows[0].Kept || rows[1].Kept || rows[2].Kept {
		t.Error(rows)
	}
}
