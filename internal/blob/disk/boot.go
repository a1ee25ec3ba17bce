package disk

import "crypto/rand"

// BootID names the running boot of the machine: bytes that were written in
// another one and not synced may be lost or zero. Where the system does not
// tell, every call returns another name, so that nothing unsynced is trusted.
func BootID() string {
	if id := bootID(); id != "" {
		return id
	}
	return rand.Text()
}
