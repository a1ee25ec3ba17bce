package metatest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

func testReferrer(f *fixture) {
	id := f.repository(key("referrers"))
	subject := sha("referred to, perhaps never pushed")
	type want = []meta.ImageID
	var all, sboms, sigs want
	f.update(func(t meta.Tx) error {
		for i := range 12 {
			body := fmt.Sprint("referrer ", i)
			image := manifest(id, body)
			image.Subject = subject
			image.Annotations = strings.Repeat("ü", i)
			switch i % 3 {
			case 0:
				image.ArtifactType, image.ConfigMediaType = "type/sbom", "type/sig"
			case 1:
				image.ConfigMediaType = "type/sig"
			}
			ref, err := t.InsertImage(image, []byte(body), nil, nil)
			if err != nil {
				return err
			}
			all = append(all, ref)
			switch i % 3 {
			case 0:
				sboms = append(sboms, ref)
			case 1:
				sigs = append(sigs, ref)
			}
		}
		return nil
	})
	both := append(slices.Clone(sboms), sigs...)
	slices.Sort(both)
	f.image(id, "refers to nothing", nil)
	for _, c := range []struct {
		name    string
		subject digest.Digest
		types   []string
		want    want
	}{
		{"all", subject, nil, all},
		{"by artifact type", subject, []string{"type/sbom"}, sboms},
		{"by config type where there is no artifact type", subject, []string{"type/sig"}, sigs},
		{"of several types", subject, []string{"type/none", "type/sig", "type/sbom"}, both},
		{"of no such type", subject, []string{"type/none"}, want{}},
		{"of another subject", sha("other"), nil, want{}},
	} {
		for _, size := range []int{1, 5, 100} {
			var got want
			f.view(func(t meta.Tx) error {
				list, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Referrer, error) {
					return t.Referrers(id, c.subject, meta.ReferrerFilter{ArtifactTypes: c.types}, p)
				}, referrerID)
				got = each(list, referrerID)
				for _, r := range list {
					if want := int64(2 * slices.Index(all, r.ID)); r.AnnotationsSize != want || r.Annotations != "" {
						return fmt.Errorf("%s, pages of %d: annotations of %d bytes, want %d, with the image %q", c.name, size, r.AnnotationsSize, want, r.Annotations)
					}
				}
				return err
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Errorf("%s, pages of %d: %s", c.name, size, diff)
			}
		}
	}
}

func referrerID(r meta.Referrer) meta.ImageID { return r.ID }
