package config

import (
	"fmt"
	"slices"
	"strings"
)

// Rates is how many calls of an operation of ECR's an account may do in a
// region in a second, by the operation's name. What is not in it is not
// limited.
type Rates map[string]int64

// rate is one line of the table of all rates.
type rate struct {
	operation string
	strict    int64 // with ecr-strict; there is none without
}

// rates are those that the ECR user guide's service quotas name.
var rates = []rate{
	{"BatchCheckLayerAvailability", 1_000},
	{"BatchGetImage", 2_000},
	{"CompleteLayerUpload", 100},
	{"GetAuthorizationToken", 500},
	{"GetDownloadUrlForLayer", 3_000},
	{"InitiateLayerUpload", 100},
	{"PutImage", 10},
	{"UploadLayerPart", 500},
}

// mostRate is the highest that can be set.
const mostRate = 1_000_000_000

// setRates needs ecr-strict, which the table sets before.
func setRates(c *Config, v value) error {
	given, err := v.pairs()
	if err != nil {
		return err
	}
	all := Rates{}
	for _, r := range rates {
		if c.ECRStrict {
			all[r.operation] = r.strict
		}
	}
	for _, operation := range sortedKeys(given) {
		if !slices.ContainsFunc(rates, func(r rate) bool { return r.operation == operation }) {
			return fmt.Errorf("there is no rate of %q%s", operation, didYouMean(operation, rateNames()))
		}
		n, err := parseCount(given[operation])
		if err != nil || n > mostRate {
			return fmt.Errorf("%s: %q is not a whole number of 0 to %d", operation, given[operation], mostRate)
		}
		all[operation] = n
		if n == 0 {
			delete(all, operation)
		}
	}
	c.Rates = all
	return nil
}

func rateNames() []string {
	var all []string
	for _, r := range rates {
		all = append(all, r.operation)
	}
	return all
}

// String lists every rate; 0 stands for none.
func (all Rates) String() string {
	var list []string
	for _, r := range rates {
		list = append(list, fmt.Sprintf("%s=%d", r.operation, all[r.operation]))
	}
	return strings.Join(list, ",")
}

// StrictRates returns every rate with what ecr-strict sets it to, for help.
func StrictRates() []string {
	var list []string
	for _, r := range rates {
		list = append(list, fmt.Sprintf("%s=%d", r.operation, r.strict))
	}
	return list
}
