package check

import (
	"context"
	"fmt"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/meta"
)

// imagesAtOnce is few, because a manifest has up to 4 MiB.
const imagesAtOnce = 20

// images checks a page of them.
func (p *piece) images(ctx context.Context) error {
	var found []Finding
	var page []meta.Image
	var last meta.ImageID
	bytes := int64(0)
	err := p.Meta.View(ctx, func(tx meta.Tx) (err error) {
		found, bytes = nil, 0
		if last, err = tx.LastImage(); err != nil {
			return err
		}
		if page, err = tx.AllImages(meta.Page[meta.ImageID]{After: meta.ImageID(p.at.after), Limit: imagesAtOnce}); err != nil {
			return err
		}
		for _, i := range page {
			bytes += i.ManifestSize
			wrong, err := image(tx, i)
			if err != nil {
				return err
			}
			if len(wrong) == 0 {
				continue
			}
			where, err := namesOf(tx, i.Repository)
			if err != nil {
				return err
			}
			for _, f := range wrong {
				f.Digest, f.Size, f.Where = i.Digest, i.ManifestSize, where
				found = append(found, f)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range found {
		p.found(f)
	}
	p.report.Images += int64(len(page))
	p.report.All = int64(last)
	if len(page) == 0 {
		p.at = cursor{phase: Tags}
		return nil
	}
	p.at.after = int64(page[len(page)-1].ID)
	p.report.Done = p.at.after
	return p.pace.take(ctx, bytes)
}

// image compares an image with its manifest.
func image(tx meta.Tx, i meta.Image) ([]Finding, error) {
	body, err := tx.Manifest(i.ID)
	if isNotFound(err) {
		return []Finding{{Kind: WrongManifest, Detail: "it has no manifest"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if d := digest.Of(i.Digest.Algorithm(), body); d != i.Digest {
		return []Finding{{Kind: WrongManifest, Detail: "its manifest hashes to " + string(d)}}, nil
	}
	m, err := manifest.Parse(body, i.MediaType)
	if err != nil {
		return []Finding{{Kind: WrongManifest, Detail: "its manifest is none: " + err.Error()}}, nil
	}
	var found []Finding
	kept, err := tx.KeptLayers(i.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range m.RequiredLayers() {
		if _, ok := kept[d]; !ok {
			found = append(found, Finding{Kind: MissingLayer, Detail: fmt.Sprintf("it does not keep its layer %s", d)})
		}
	}
	for _, d := range m.RequiredChildren() {
		_, err := tx.Image(i.Repository, meta.Reference{Digest: d})
		if isNotFound(err) {
			found = append(found, Finding{Kind: MissingChild, Detail: fmt.Sprintf("its image %s is not there", d)})
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// tags checks a page of them.
func (p *piece) tags(ctx context.Context) error {
	var astray []meta.Stray
	var last meta.TagTurn
	looked := 0
	where := map[meta.RepositoryID][]meta.RepositoryKey{}
	err := p.Meta.View(ctx, func(tx meta.Tx) (err error) {
		page := meta.Page[meta.TagTurn]{After: meta.TagTurn{Repository: meta.RepositoryID(p.at.after), Name: p.at.tag}, Limit: listed}
		if astray, last, looked, err = tx.StrayTags(page); err != nil {
			return err
		}
		for _, t := range astray {
			if where[t.Repository], err = namesOf(tx, t.Repository); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range astray {
		p.found(Finding{Kind: StrayTag, Detail: fmt.Sprintf("the tag %s points to no image of its repository", t.Name), Where: where[t.Repository]})
	}
	p.report.Tags += int64(looked)
	p.report.Done, p.report.All = 0, 0
	if looked < listed {
		p.at = cursor{phase: Locations}
		return nil
	}
	p.at.after, p.at.tag = int64(last.Repository), last.Name
	return nil
}
