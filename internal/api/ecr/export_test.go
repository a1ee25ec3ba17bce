package ecr

// Token makes the token of a listing, and Position reads it.
func Token(list []string, position string) string { return *listing(list).token(position) }

// Position is the inverse of Token.
func Position(list []string, token string) (string, error) { return listing(list).position(&token) }

// Member is member.
func Member[In any](name string) func(*In) string { return member[In](name) }
