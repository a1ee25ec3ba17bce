package lifecycle

import (
	"encoding/json"
	"slices"
	"strings"
)

// Options change what Parse takes.
type Options struct {
	Strict bool // refuse what ECR refuses
}

// Invalid says why a text is no policy.
type Invalid struct {
	Lines []string // at least one
}

// Error returns what follows "Lifecycle policy validation failure: ".
func (e *Invalid) Error() string { return strings.Join(e.Lines, "\n") }

const notMapped = "Could not map policyString into LifecyclePolicy."

// Parse reads a policy's text, whose length the caller has limited. An error is
// an *Invalid.
func Parse(text string, o Options) (Policy, error) {
	var d struct {
		Rules []struct {
			RulePriority int
			Description  string
			Selection    struct {
				TagStatus, StorageClass, CountType string
				TagPatternList, TagPrefixList      []string
				CountNumber                        int
			}
			Action struct{ Type string }
		}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return Policy{}, &Invalid{[]string{notMapped}}
	}
	var p Policy
	for _, r := range d.Rules {
		s := r.Selection
		p.Rules = append(p.Rules, Rule{
			Priority: r.RulePriority, Description: r.Description,
			Status:   TagStatus(slices.Index(statuses[:], s.TagStatus)),
			Patterns: s.TagPatternList, Prefixes: s.TagPrefixList,
			Storage: max(Standard, StorageClass(max(0, slices.Index(classes[:], s.StorageClass)))),
			Count:   CountType(max(0, slices.Index(countTypes[:], s.CountType))), Number: s.CountNumber,
			Action: Action(slices.Index(actions[:], r.Action.Type)),
		})
	}
	slices.SortFunc(p.Rules, func(a, b Rule) int { return a.Priority - b.Priority })
	return p, nil
}
