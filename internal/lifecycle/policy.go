package lifecycle

// Policy is a parsed lifecycle policy.
type Policy struct {
	Rules []Rule // by ascending priority, each of which is there once
}

// Rule selects images and says what becomes of them.
type Rule struct {
	Priority    int // 1 or more; the lowest is applied first
	Description string
	Status      TagStatus
	Patterns    []string // tagPatternList as written; of a Tagged rule
	Prefixes    []string // tagPrefixList as written; of a Tagged rule, which has either
	Storage     StorageClass
	Count       CountType
	Number      int // images or days, 1 or more; 0: NoCount
	Action      Action
}

// TagStatus says which images a rule is about, by their tags.
type TagStatus uint8

// The tag statuses.
const (
	Tagged TagStatus = iota + 1
	Untagged
	AnyTag
)

// StorageClass says where an image is kept.
type StorageClass uint8

// The storage classes. A rule sees the images of its own.
const (
	Standard StorageClass = iota + 1
	Archive
)

// CountType says what a rule compares its number with.
type CountType uint8

// The count types. NoCount is of a rule that retains whatever has its tags.
const (
	NoCount           CountType = iota
	MoreThan                    // imageCountMoreThan
	SincePushed                 // sinceImagePushed, days
	SincePulled                 // sinceImagePulled, days
	SinceTransitioned           // sinceImageTransitioned, days
)

// Action says what becomes of the images that a rule selects.
type Action uint8

// The actions. Retain is ours: it keeps images from rules of higher number.
const (
	Expire     Action = iota + 1
	Transition        // to the archive
	Retain
)

// String returns the action as a policy spells it.
func (a Action) String() string { return actions[a] }

// String returns the status as a policy spells it.
func (s TagStatus) String() string { return statuses[s] }

// String returns the class as a policy spells it.
func (s StorageClass) String() string { return classes[s] }

// String returns the type as a policy spells it; of NoCount nothing.
func (c CountType) String() string { return countTypes[c] }

var (
	actions    = [...]string{Expire: "expire", Transition: "transition", Retain: "retain"}
	statuses   = [...]string{Tagged: "tagged", Untagged: "untagged", AnyTag: "any"}
	classes    = [...]string{Standard: "standard", Archive: "archive"}
	countTypes = [...]string{
		MoreThan: "imageCountMoreThan", SincePushed: "sinceImagePushed",
		SincePulled: "sinceImagePulled", SinceTransitioned: "sinceImageTransitioned",
	}
)
