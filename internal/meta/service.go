package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// ServiceID is a container service's surrogate id.
type ServiceID int64

// Service is a Lightsail container service's row.
type Service struct {
	ID         ServiceID // set by InsertService
	Registry   name.RegistryID
	Name       name.ServiceName
	ResourceID string // UUID in the ARN
	Power      string
	Scale      int64
	Disabled   bool
	CreatedAt  time.Time
}

// ServiceTx reads and writes container services.
type ServiceTx interface {
	// Service finds one. ErrNotFound.
	Service(registry name.RegistryID, service name.ServiceName, lock Lock) (Service, error)
	// Services lists a registry's services by name.
	Services(registry name.RegistryID, page Page[name.ServiceName]) ([]Service, error)
	// InsertService adds one. ErrExists.
	InsertService(s Service) (ServiceID, error)
	// SetService stores Power, Scale and Disabled of s.ID. ErrNotFound.
	SetService(s Service) error
	// DeleteService removes a service with its counters and resource tags.
	// ErrReferenced while it has registered images.
	DeleteService(id ServiceID) error
}

// RegisteredImage is a version of a label in a service; it keeps its image.
type RegisteredImage struct {
	ID        int64
	Service   ServiceID
	Label     name.Label
	Version   int64
	Image     ImageID
	Digest    string
	CreatedAt time.Time
}

// RegisteredImageTx reads and writes registered images.
type RegisteredImageTx interface {
	// RegisterImage adds the next version of the label, which no version of
	// the service and label ever had, and returns it with ID, Version and
	// CreatedAt set.
	RegisterImage(service ServiceID, label name.Label, image ImageID) (RegisteredImage, error)
	// RegisteredImages lists a service's, newest first, at most limit.
	RegisteredImages(service ServiceID, limit int) ([]RegisteredImage, error)
	// RegisteredImage finds one. ErrNotFound.
	RegisteredImage(service ServiceID, label name.Label, version int64) (RegisteredImage, error)
	// DeleteRegisteredImage removes one; its number is not given again.
	DeleteRegisteredImage(id int64) error
	// ImageRegistered reports whether any service keeps the image.
	ImageRegistered(id ImageID) (bool, error)
}
