// Package guest is for writing Sluice plugins in Go, with the stock toolchain.
//
// A plugin is a pure function of its configuration, a table's schema and one row image. The host calls it for the images
// before and after a change and derives insert, update, delete and move from the answers. So an answer must never depend
// on other rows, earlier calls, the place of a row in its batch, the time or the instance. In particular, never let the
// order of a map reach an answer: Go changes it from loop to loop. Sort the keys, or keep a slice.
//
// A plugin implements [Transform] and hands it to [Export] in an init function:
//
//	type region struct{ Name string }
//
//	func (p *region) Configure(config []byte, _ []guest.Attachment, _ guest.Limits) error {
//		return guest.ParseConfig(config, p)
//	}
//
//	func (p *region) Plan(table *guest.TableSchema) (guest.Decision, error) {
//		plan, err := guest.PlanOf(table).Rename("qty", "quantity").Reads("region").Build()
//		if err != nil {
//			return guest.Decision{}, err
//		}
//		return plan.With(nil), nil
//	}
//
//	func (p *region) Process(_ any, batch *guest.Batch) (*guest.Edit, error) {
//		region, err := batch.Column(0).Bytes()
//		if err != nil {
//			return nil, err
//		}
//		return guest.Keep(region.Matching(func(v []byte) bool { return string(v) == p.Name })), nil
//	}
//
//	func init() {
//		guest.Export(guest.Info{Name: "region", Version: "0.1.0"}, func() guest.Transform { return &region{} })
//	}
//
//	func main() {}
//
// It is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o region.wasm .
//
// and the host makes the component of it when it loads it. The clock that a plugin sees stands at 1970-01-01, random
// bytes are always the same, no file can be opened, and what it prints are log lines.
//
// Its unit tests need no host: see the package guesttest.
package guest
