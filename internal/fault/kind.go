package fault

// Kind is the coarse class of an error: what a front falls back to when it has
// no line for the Reason.
type Kind uint8

// The closed set of kinds.
const (
	Internal        Kind = iota // a defect or an unexpected failure of ours
	Invalid                     // the request can never succeed as written
	Unauthenticated             // who is calling is not known
	Denied                      // known, and not allowed
	NotFound                    // the subject does not exist
	Conflict                    // the subject exists, or its state forbids the act
	Exceeded                    // a quota would be passed
	Range                       // bytes out of order or outside the subject
	TooLarge                    // more bytes than the limit
	Unsupported                 // a thing this server does not do
	Throttled                   // too much at once; the same request may work later
	Unavailable                 // a store is full, away or failing
)
