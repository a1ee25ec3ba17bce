package config

// Shared reports whether several servers may work on the stores at once: none
// of the two is in a directory of one machine.
func (c Config) Shared() bool { return c.Database.Scheme == "postgres" && c.Storage.Scheme == "s3" }
