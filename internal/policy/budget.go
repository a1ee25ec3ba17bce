package policy

// budget is how many steps one evaluation may take: about a step per character
// that a pattern and a value have in common. All the documents that IAM's
// quotas let a principal have take a fraction of it, and all of it is gone in
// milliseconds. It bounds what a pattern can cost that was made to match badly
// a value which its maker sends: without it, that is the product of their
// lengths.
const budget = 4 << 20

// What comparisons take beside the characters they go through.
const (
	lookupSteps  = 16
	compareSteps = 1
	wordSteps    = 16  // bytes that are compared or copied at once take one
	parseSteps   = 16  // of numbers and addresses
	dateSteps    = 256 // a text that is no time is tried in every layout
)

// numberMax is the longest text of a number: a longer one is none. A few hundred
// digits take longer to read than all else that a step stands for.
const numberMax = 64

// spend takes steps off the budget and reports whether they were in it.
func (e *evaluation) spend(steps int) bool {
	e.left -= min(steps, e.left+1)
	return e.left >= 0
}

// spent reports whether the budget is gone. Then nothing matches any more, and
// nothing is allowed: a Deny could stand behind.
func (e *evaluation) spent() bool { return e.left < 0 }

// given returns how many steps a decision of the request may take.
func (r *Request) given() int {
	if r.Limit == 0 || r.Steps == nil {
		return budget
	}
	return max(min(budget, r.Limit-*r.Steps), 0)
}

// abandoned reports whether nobody waits for the decision, and spends all that
// is left of its budget if so.
func (e *evaluation) abandoned() bool {
	select {
	case <-e.request.Done:
		e.left = -1
		return true
	default:
		return false
	}
}

// report tells who wants to know how much was spent.
func (e *evaluation) report() {
	if e.request.Steps != nil {
		*e.request.Steps += e.given - max(e.left, 0)
	}
}
