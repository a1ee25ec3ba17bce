//go:build !unix

package audit

import "os"

// lock opens the file for this process. Where there is no flock nothing keeps
// a second process away.
func lock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
}
