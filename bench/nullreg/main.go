// Command nullreg is a yardstick, not a registry: the least work that can
// answer regbench durably.
//
// A blob is a file: hashed while written, synced, renamed, its directory
// synced. Manifests, tags and mounts are maps in memory and an append-only log
// that is synced before the answer, one sync for all that wait. There is no
// authentication, no check of what a manifest refers to, no restart, and no
// way to get a blob's space back.
package main

import (
	"flag"
	"log"
	"net/http"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5000", "address")
	dir := flag.String("dir", "", "existing directory for blobs and the log")
	cert := flag.String("tls-cert", "", "PEM `file` of a certificate; serves HTTPS")
	key := flag.String("tls-key", "", "PEM `file` of the certificate's key")
	flag.Parse()
	s, err := open(*dir)
	if err != nil {
		log.Fatal("nullreg: ", err)
	}
	if *cert != "" {
		log.Fatal("nullreg: ", http.ListenAndServeTLS(*listen, *cert, *key, s))
	}
	log.Fatal("nullreg: ", http.ListenAndServe(*listen, s))
}
