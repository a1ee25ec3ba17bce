package disk

import "fmt"

// Probe tells whether a directory has room, and can be written at all, by the
// measure of Open: a little file is written and removed. An error is one line
// that names the directory; blob.ErrFull if there is no room.
func Probe(dir string) error {
	if err := try(dir); err != nil {
		return fmt.Errorf("directory %s: %w", dir, full(bare(err)))
	}
	return nil
}
