// Hashes columns that name people and drops rows that nobody downstream may have. It must never let a value through
// that its configuration names, and never make two different keys equal.

package main

import (
	_ "embed"

	"crypto/sha256"
	"encoding/hex"
	"slices"

	"sluice/guest"
)

//go:embed config.schema.json
var configSchema string

// config is the manifest's [plugin.config].
type config struct {
	// Mask names the columns whose values are replaced by SHA-256(salt, 0, value) in hexadecimal digits.
	Mask []string `json:"mask"`
	Salt string   `json:"salt"`
	// Drop names a column and the values whose rows do not reach the target.
	Drop *struct {
		Column string   `json:"column"`
		Values []string `json:"values"`
	} `json:"drop"`
}

type plugin struct {
	config config
	drop   map[string]bool
}

func (p *plugin) Configure(text []byte, _ []guest.Attachment, _ guest.Limits) error {
	if err := guest.ParseConfig(text, &p.config); err != nil {
		return err
	}
	problems := &guest.ConfigError{}
	if len(p.config.Mask) == 0 && p.config.Drop == nil {
		problems.Add("", "nothing to do: give `mask` or `drop`")
	}
	if len(p.config.Mask) > 0 && p.config.Salt == "" {
		problems.Add("/salt", "a hash without a salt is found out by trying: give a secret text")
	}
	if p.config.Drop != nil {
		p.drop = map[string]bool{}
		for _, value := range p.config.Drop.Values {
			p.drop[value] = true
		}
	}
	return problems.OrNil()
}

func (p *plugin) Plan(table *guest.TableSchema) (guest.Decision, error) {
	builder := guest.PlanOf(table)
	var reads []string
	for _, name := range p.config.Mask {
		_, field, err := table.Field(name)
		if err != nil {
			return guest.Decision{}, err
		}
		if field.Type != guest.UTF8 {
			return guest.Decision{}, guest.Fail("mask-type", "`%s` is %s, only utf8 can be masked", name, field.Type)
		}
		builder.Replace(name, guest.UTF8, field.Nullable)
		reads = append(reads, name)
	}
	dropAt := -1
	if p.config.Drop != nil {
		_, field, err := table.Field(p.config.Drop.Column)
		if err != nil {
			return guest.Decision{}, err
		}
		if field.Type != guest.UTF8 {
			return guest.Decision{}, guest.Fail("drop-type", "`%s` is %s, only utf8 can be compared", field.Name, field.Type)
		}
		if dropAt = slices.Index(reads, field.Name); dropAt < 0 {
			dropAt, reads = len(reads), append(reads, field.Name)
		}
	}
	builder.Reads(reads...)
	var ids []string
	for _, id := range table.IDColumns {
		ids = append(ids, table.Fields[id].Name)
	}
	if len(ids) > 0 {
		builder.IDColumns(ids...)
	}
	plan, err := builder.Build()
	if err != nil {
		return guest.Decision{}, err
	}
	return plan.With(dropAt), nil
}

func (p *plugin) Process(table any, batch *guest.Batch) (*guest.Edit, error) {
	edit := guest.NewEdit()
	if dropAt := table.(int); dropAt >= 0 {
		dropped, err := batch.Column(dropAt).Bytes()
		if err != nil {
			return nil, err
		}
		edit = guest.Keep(dropped.Matching(func(v []byte) bool { return p.drop[string(v)] }).Not())
	}
	for _, column := range batch.Columns()[:len(p.config.Mask)] {
		values, err := column.Bytes()
		if err != nil {
			return nil, err
		}
		masked := guest.NewTextBuilder(batch.Rows())
		for row := 0; row < batch.Rows(); row++ {
			value, isThere := values.Get(row)
			if !isThere {
				masked.PushNull()
				continue
			}
			masked.Push(p.hash(value))
		}
		edit.WithColumn(masked.Finish())
	}
	return edit, nil
}

func (p *plugin) hash(value []byte) string {
	hasher := sha256.New()
	hasher.Write([]byte(p.config.Salt))
	hasher.Write([]byte{0})
	hasher.Write(value)
	return hex.EncodeToString(hasher.Sum(nil))
}

func init() {
	guest.Export(guest.Info{Name: "pii-mask-and-filter", Version: "0.1.0", ConfigSchema: configSchema}, func() guest.Transform {
		return &plugin{}
	})
}

func main() {}
