package ecr

// Member is member.
func Member[In any](name string) func(*In) string { return member[In](name) }
