package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// locations asks for the names of a page of what the store has. A row names a
// location before there is anything, and until it is garbage, which goes from the
// store before its line does: what is listed and then has no name is either gone
// or stray.
func (p *piece) locations(ctx context.Context) error {
	lister, ok := p.Blobs.(blob.Lister)
	if !ok {
		return errors.New("the layer store cannot be listed")
	}
	items, next, err := lister.List(ctx, p.at.at, listed)
	if errors.Is(err, blob.ErrNotFound) {
		return ErrCursor
	}
	if err != nil {
		return err
	}
	after := p.at.at
	for part := range slices.Chunk(items, atOnce) {
		if err := p.strays(ctx, lister, after, part); err != nil {
			return err
		}
		after = part[len(part)-1].Location
	}
	p.report.Locations += int64(len(items))
	p.report.Done, p.report.All = 0, 0
	if next == "" {
		p.at = cursor{}
		return nil
	}
	p.at.at = next
	return nil
}

// strays looks at items, the first of which is after the given location.
func (p *piece) strays(ctx context.Context, lister blob.Lister, after name.Location, items []blob.Item) error {
	var all []name.Location
	for _, i := range items {
		all = append(all, i.Location)
	}
	var named map[name.Location]bool
	err := p.Meta.View(ctx, func(tx meta.Tx) (err error) {
		named, err = tx.NamedLocations(all)
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range items {
		if !named[i.Location] {
			there, err := has(ctx, lister, after, i.Location)
			if err != nil {
				return err
			}
			if !there {
				continue // it was removed meanwhile
			}
			if err := p.stray(ctx, i); err != nil {
				return err
			}
		}
		after = i.Location
	}
	return nil
}

// has lists again what comes after a location, a few of which may be new.
func has(ctx context.Context, lister blob.Lister, after, at name.Location) (bool, error) {
	items, _, err := lister.List(ctx, after, 10)
	return slices.ContainsFunc(items, func(i blob.Item) bool { return i.Location == at }), err
}

func (p *piece) stray(ctx context.Context, i blob.Item) error {
	f := Finding{Kind: StrayBytes, Location: i.Location, Size: i.Size, Detail: fmt.Sprintf("nothing names it; it was last written %s", i.At.UTC().Format(time.RFC3339))}
	if p.Repair {
		again := false
		err := p.Meta.Update(ctx, func(tx meta.Tx) error {
			named, err := tx.NamedLocations([]name.Location{i.Location})
			if again = named[i.Location]; err != nil || again {
				return err // somebody else has just quarantined it
			}
			now, err := tx.Now()
			if err != nil {
				return err
			}
			return tx.AddGarbage(i.Location, i.Size, now.Add(p.Quarantine))
		})
		if err != nil || again {
			return err
		}
		f.Remedy = Quarantined
	}
	p.found(f)
	return nil
}
