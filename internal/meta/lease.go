package meta

import "time"

// Lease is the right to do what one process of a store does at a time.
type Lease struct {
	Name      string
	Holder    string // one life of one process
	Fence     int64  // grows with each holder that follows another, and never goes back
	ExpiresAt time.Time
}

// LeaseTx gives leases, which are timed by the transaction's time.
type LeaseTx interface {
	// TakeLease gives a lease to the holder for a time, or prolongs it to that
	// if the holder has it. ErrConflict while another holds it.
	TakeLease(name, holder string, lasts time.Duration) (Lease, error)
	// EndLease lets a lease go that the holder has, and does nothing else.
	EndLease(name, holder string) error
	// Leases lists those whose names begin with the prefix, in order, expired
	// ones too. They are few: one of each duty, one of each server.
	Leases(prefix string) ([]Lease, error)
}
