//go:build !unix

package config

import (
	"os"
)

// lock opens the file for this process. Where there is no flock nothing keeps
// a second process away: running one server per directory is then up to whoever
// starts it.
func lock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }
