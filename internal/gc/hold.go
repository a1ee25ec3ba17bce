package gc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// Hold keeps every stored byte where it is until the given time, whoever may
// delete what: a backup refers to it. A hold that ends later stays.
func Hold(ctx context.Context, store meta.Store, until time.Time) error {
	return store.Update(ctx, func(tx meta.Tx) error {
		held, err := heldUntil(tx)
		if err != nil || !until.After(held) {
			return err
		}
		return setHold(tx, until)
	})
}

// Release ends a hold at the time that was given for it; one that somebody else
// has set to another time stays.
func Release(ctx context.Context, store meta.Store, until time.Time) error {
	return store.Update(ctx, func(tx meta.Tx) error {
		held, err := heldUntil(tx)
		if err != nil || !held.Equal(until.UTC().Truncate(time.Millisecond)) {
			return err
		}
		return setHold(tx, time.UnixMilli(0))
	})
}

// heldUntil is in the past if nothing is held.
func heldUntil(tx meta.Tx) (time.Time, error) {
	value, err := tx.Secret(meta.GarbageHold)
	if errors.Is(err, meta.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	until, err := time.Parse(time.RFC3339Nano, string(value))
	if err != nil {
		return time.Time{}, fmt.Errorf("read until when garbage is held: %w", err)
	}
	return until, nil
}

func setHold(tx meta.Tx, until time.Time) error {
	value := []byte(until.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))
	err := tx.SetSecret(meta.GarbageHold, value)
	if errors.Is(err, meta.ErrNotFound) {
		return tx.PutSecret(meta.GarbageHold, value)
	}
	return err
}
