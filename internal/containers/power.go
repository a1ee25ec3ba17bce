package containers

import (
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// Power is a size of a service's nodes.
type Power struct {
	Name  string
	ID    string
	Price float32 // USD a month for each node
	CPU   float32 // vCPUs
	RAM   float32 // GB
}

var powers = []Power{
	{"nano", "nano-1", 7, 0.25, 0.5},
	{"micro", "micro-1", 10, 0.25, 1},
	{"small", "small-1", 15, 0.5, 1},
	{"medium", "medium-1", 40, 1, 2},
	{"large", "large-1", 80, 2, 4},
	{"xlarge", "xlarge-1", 160, 4, 8},
}

// Powers lists the sizes, smallest first. Nothing is charged here: the prices
// are those of Lightsail containers' first year, 2020 (docs/compatibility.md).
func Powers() []Power { return append([]Power(nil), powers...) }

// FindPower returns the size of that name; false: there is none.
func FindPower(s string) (Power, bool) {
	for _, p := range powers {
		if p.Name == s {
			return p, true
		}
	}
	return Power{}, false
}

// checkSize checks what a service is made of. ParameterInvalid, LimitExceeded.
func (s *Services) checkSize(key Key, power string, scale int64) error {
	f := serviceFault(fault.ParameterInvalid, key)
	if _, ok := FindPower(power); !ok {
		var names []string
		for _, p := range powers {
			names = append(names, p.Name)
		}
		f.Member, f.Value = "power", power
		f.Constraint = "Member must satisfy enum value set: [" + strings.Join(names, ", ") + "]"
		return f
	}
	if scale < 1 {
		f.Member, f.Value = "scale", strconv.FormatInt(scale, 10)
		f.Constraint = "Member must have value greater than or equal to 1"
		return f
	}
	if limit := s.Limits.Nodes; limit > 0 && scale > limit {
		f.Reason, f.Quota, f.Limit = fault.LimitExceeded, "nodes per container service", limit
		return f
	}
	return nil
}
