package containers

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// ImageName is the name of a registered image, ":service.label.N".
type ImageName struct {
	Service name.ServiceName
	Label   name.Label
	Version int64
}

// String returns the name as clients write it.
func (n ImageName) String() string {
	return ":" + string(n.Service) + "." + string(n.Label) + "." + strconv.FormatInt(n.Version, 10)
}

// ParseImageName takes ":service.label.N" apart. Neither service nor label can
// hold a dot, and N is written in one way only. ParameterInvalid.
func ParseImageName(s string) (ImageName, error) {
	bad := &fault.Error{
		Reason: fault.ParameterInvalid, Image: s, Member: "image", Value: s,
		Constraint: "Member must be the name of a registered image, such as :service.label.1",
	}
	rest, ok := strings.CutPrefix(s, ":")
	if !ok {
		return ImageName{}, bad
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 3 {
		return ImageName{}, bad
	}
	service, err := name.ParseServiceName(parts[0])
	if err != nil {
		return ImageName{}, bad
	}
	label, err := name.ParseLabel(parts[1])
	if err != nil {
		return ImageName{}, bad
	}
	version, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || version < 1 || strconv.FormatInt(version, 10) != parts[2] {
		return ImageName{}, bad
	}
	return ImageName{service, label, version}, nil
}

// RegisterImage gives the image of the digest, which was pushed to the
// registry's hidden repository, the next version of the label. The same digest
// again is another version. DigestInvalid, ServiceNotFound, ImageUnregistered,
// LimitExceeded.
func (s *Services) RegisterImage(ctx context.Context, key Key, label name.Label, text string) (RegisteredImage, error) {
	d, err := digest.Parse(text)
	if err != nil {
		return RegisteredImage{}, err
	}
	var registered RegisteredImage
	err = s.Meta.Update(ctx, func(tx meta.Tx) error {
		service, err := live(tx, key, meta.LockExclusive) // one counter at a time
		if err != nil {
			return err
		}
		i, err := pushed(tx, key, d)
		if err != nil {
			return err
		}
		if err := s.checkImageQuota(tx, key, service); err != nil {
			return err
		}
		registered, err = tx.RegisterImage(service.ID, label, i.ID)
		registered.Digest = string(d)
		return err
	})
	return registered, storeFault(key, err)
}

// pushed finds an image in the hidden repository, and holds the repository so
// that the collector, which takes images away under an exclusive lock of it,
// comes before or after.
func pushed(tx meta.Tx, key Key, d digest.Digest) (meta.Image, error) {
	absent := serviceFault(fault.ImageUnregistered, key)
	absent.Digest = string(d)
	repository, err := tx.Repository(HiddenRepository(key.Registry), meta.LockShared)
	if errors.Is(err, meta.ErrNotFound) {
		return meta.Image{}, absent
	}
	if err != nil {
		return meta.Image{}, err
	}
	i, err := tx.Image(repository.ID, meta.Reference{Digest: d})
	if errors.Is(err, meta.ErrNotFound) {
		return meta.Image{}, absent
	}
	return i, err
}

func (s *Services) checkImageQuota(tx meta.Tx, key Key, service meta.Service) error {
	limit := s.Limits.Images
	if limit == 0 {
		return nil
	}
	have, err := tx.RegisteredImages(service.ID, int(limit))
	if err != nil || int64(len(have)) < limit {
		return err
	}
	f := serviceFault(fault.LimitExceeded, key)
	f.Quota, f.Limit = "registered images per container service", limit
	return f
}

// ImagesShown bounds a listing of registered images: the wire that asks knows
// no pages.
const ImagesShown = 10_000

// RegisteredImages lists a service's, the newest first. ServiceNotFound.
func (s *Services) RegisteredImages(ctx context.Context, key Key) ([]RegisteredImage, error) {
	var images []RegisteredImage
	err := s.Meta.View(ctx, func(tx meta.Tx) error {
		service, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		images, err = tx.RegisteredImages(service.ID, ImagesShown)
		return err
	})
	return images, storeFault(key, err)
}

// DeleteRegisteredImage removes a registered image by its name. Its number is
// not given again; its bytes stay while another registration keeps them.
// ParameterInvalid, ServiceNotFound, RegisteredImageNotFound.
func (s *Services) DeleteRegisteredImage(ctx context.Context, key Key, image string) error {
	n, err := ParseImageName(image)
	if err != nil {
		return err
	}
	absent := serviceFault(fault.RegisteredImageNotFound, key)
	absent.Image = image
	return storeFault(key, s.Meta.Update(ctx, func(tx meta.Tx) error {
		service, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		if n.Service != key.Name {
			return absent
		}
		i, err := tx.RegisteredImage(service.ID, n.Label, n.Version)
		if errors.Is(err, meta.ErrNotFound) {
			return absent
		}
		if err != nil {
			return err
		}
		return s.forget(tx, i)
	}))
}

// forget removes a registration and has the collector look at the image when
// a push would be over: it may be pushed for another registration now.
func (s *Services) forget(tx meta.Tx, i RegisteredImage) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	if err := tx.DeleteRegisteredImage(i.ID); err != nil {
		return err
	}
	return tx.EnqueueReview(meta.ImageSubject, int64(i.Image), now.Add(s.PushTTL))
}
