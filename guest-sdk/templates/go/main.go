// Keeps the rows whose column has one value.

package main

import "sluice/guest"

// keepWhere is the manifest's [plugin.config].
type keepWhere struct {
	Column string `json:"column"`
	Value  string `json:"value"`
}

func (p *keepWhere) Configure(config []byte, _ []guest.Attachment, _ guest.Limits) error {
	return guest.ParseConfig(config, p)
}

func (p *keepWhere) Plan(table *guest.TableSchema) (guest.Decision, error) {
	plan, err := guest.PlanOf(table).Reads(p.Column).Build()
	if err != nil {
		return guest.Decision{}, err
	}
	return plan.With(nil), nil
}

func (p *keepWhere) Process(_ any, batch *guest.Batch) (*guest.Edit, error) {
	column, err := batch.Column(0).Bytes()
	if err != nil {
		return nil, err
	}
	return guest.Keep(column.Matching(func(value []byte) bool { return string(value) == p.Value })), nil
}

func init() {
	guest.Export(guest.Info{Name: "@NAME@", Version: "0.1.0"}, func() guest.Transform { return &keepWhere{} })
}

func main() {}
