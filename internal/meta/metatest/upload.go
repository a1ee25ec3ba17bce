package metatest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func upload(id string, repository meta.RepositoryID) meta.Upload {
	return meta.Upload{ID: name.UploadID(id), Repository: repository, CreatedAt: day, ExpiresAt: nextDay}
}

func testUpload(f *fixture) {
	id := f.repository(key("uploads"))
	find := func(u name.UploadID, lock meta.Lock) (got meta.Upload) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			got, err = t.Upload(u, lock)
			return err
		})
		return got
	}
	insert := func(u meta.Upload) func(meta.Tx) error { return func(t meta.Tx) error { return t.InsertUpload(u) } }
	advance := func(u meta.Upload) func(meta.Tx) error { return func(t meta.Tx) error { return t.AdvanceUpload(u) } }

	f.on("what is inserted is found as it was", func(f *fixture) {
		f.update(insert(upload("bare", id)))
		want := meta.Upload{
			ID: "whole", Repository: id, Location: "file:x", Offset: 1 << 40, HashState: []byte{0, 1, 255}, BlobState: []byte("state"),
			BootID: "boot", Parts: 9, SmallPart: 4, Fence: 3, CreatedAt: day, ExpiresAt: nextDay,
		}
		f.update(insert(want))
		f.fails(meta.ErrExists, insert(want))
		for _, lock := range []meta.Lock{meta.NoLock, meta.LockShared, meta.LockExclusive} {
			if diff := cmp.Diff(want, find("whole", lock)); diff != "" {
				f.Errorf("lock %d: %s", lock, diff)
			}
			if diff := cmp.Diff(upload("bare", id), find("bare", lock), cmpopts.EquateEmpty()); diff != "" {
				f.Errorf("lock %d: %s", lock, diff)
			}
		}
	})
	f.on("an advance stores everything but the identity", func(f *fixture) {
		u := upload("advanced", id)
		f.update(insert(u))
		u.Location, u.Offset, u.HashState, u.BlobState, u.BootID = "file:later", 7, []byte("h"), []byte("b"), "boot 2"
		u.Parts, u.SmallPart, u.ExpiresAt = 2, 1, nextDay.Add(time.Hour)
		f.update(advance(u))
		if diff := cmp.Diff(u, find(u.ID, meta.NoLock)); diff != "" {
			f.Error(diff)
		}
	})
	f.on("a fence stops the writer before", func(f *fixture) {
		u := upload("fenced", id)
		f.update(insert(u))
		var taken meta.Upload
		f.update(func(t meta.Tx) (err error) {
			taken, err = t.FenceUpload(u.ID)
			return err
		})
		if taken.Fence != 1 || taken.ID != u.ID {
			f.Errorf("taken over as %+v", taken)
		}
		u.Offset = 5
		f.fails(meta.ErrConflict, advance(u))
		taken.Offset = 6
		f.update(advance(taken))
		if got := find(u.ID, meta.NoLock); got.Offset != 6 || got.Fence != 1 {
			f.Errorf("found %+v", got)
		}
	})
	f.on("many who take over get a fence each", func(f *fixture) {
		f.update(insert(upload("contended", id)))
		var fences [20]int64
		errs := f.together(len(fences), func(i int, t meta.Tx) error {
			u, err := t.FenceUpload("contended")
			fences[i] = u.Fence
			return err
		})
		seen := map[int64]bool{}
		for i, fence := range fences {
			if errs[i] != nil || fence < 1 || fence > int64(len(fences)) || seen[fence] {
				f.Errorf("fence %d, %v", fence, errs[i])
			}
			seen[fence] = true
		}
	})
	f.on("an upload is consumed once", func(f *fixture) {
		f.update(insert(upload("consumed", id)))
		errs := f.together(8, func(_ int, t meta.Tx) error { return t.DeleteUpload("consumed") })
		if diff := cmp.Diff(map[string]int{"done": 1, "absent": 7}, outcomes(errs, meta.ErrNotFound, "absent")); diff != "" {
			f.Error(diff)
		}
	})
	f.on("what is missing is not found", func(f *fixture) {
		for what, fn := range map[string]func(meta.Tx) error{
			"Upload":        func(t meta.Tx) error { _, err := t.Upload("absent", meta.LockExclusive); return err },
			"AdvanceUpload": advance(upload("absent", id)),
			"FenceUpload":   func(t meta.Tx) error { _, err := t.FenceUpload("absent"); return err },
			"DeleteUpload":  func(t meta.Tx) error { return t.DeleteUpload("absent") },
			"its repository": func(t meta.Tx) error {
				return t.InsertUpload(upload("homeless", 1<<40))
			},
		} {
			f.on(what, func(f *fixture) { f.fails(meta.ErrNotFound, fn) })
		}
	})
	f.on("the expired are listed, the oldest first", func(f *fixture) {
		past := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 4 {
			u := upload(fmt.Sprint("expired", i), id)
			u.ExpiresAt = past.Add(time.Duration(4-i) * time.Second)
			f.update(insert(u))
		}
		for _, c := range []struct {
			now   time.Time
			limit int
			want  []name.UploadID
		}{
			{past, 10, []name.UploadID{}},
			{past.Add(2 * time.Second), 10, []name.UploadID{"expired3", "expired2"}},
			{past.Add(time.Hour), 3, []name.UploadID{"expired3", "expired2", "expired1"}},
		} {
			var got []name.UploadID
			f.view(func(t meta.Tx) error {
				list, err := t.ExpiredUploads(c.now, c.limit)
				got = each(list, func(u meta.Upload) name.UploadID { return u.ID })
				return err
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Error(diff)
			}
		}
	})
	f.on("finishing is one transaction: of two finishers one makes the layer", func(f *fixture) {
		f.update(insert(upload("finished", id)))
		errs := f.together(2, func(i int, t meta.Tx) error {
			if err := t.DeleteUpload("finished"); err != nil {
				return err
			}
			_, err := putLayer(t, id, fmt.Sprint("finished ", i))
			return err
		})
		for i, err := range errs {
			found := f.store.View(f.Context(), func(t meta.Tx) error {
				_, err := t.FindLayer(key("uploads"), sha(fmt.Sprint("finished ", i)))
				return err
			})
			if (err == nil) != (found == nil) {
				f.Errorf("finisher %d: %v, its layer: %v", i, err, found)
			}
		}
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), meta.ErrNotFound) {
			f.Errorf("finishers: %v", errs)
		}
	})
}
