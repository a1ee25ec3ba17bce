package certificate

import (
	"fmt"
	"net"
	"strings"
)

// Text says how clients are told to trust the CA, for each address of the
// server as clients write it in an image's name: host, or host:port.
func (s *SelfSigned) Text(addresses ...string) string {
	ca := quote(s.Authority())
	var b strings.Builder
	fmt.Fprintf(&b, "The certificate authority of this server is %s, until %s.\n", s.Authority(), s.ca.NotAfter.Format("2006-01-02"))
	fmt.Fprintf(&b, "Copy that file (never %s) to each client, and trust it there:\n", keyFile)
	for _, client := range []struct{ name, dir, sudo string }{
		{"docker", "/etc/docker/certs.d/", "sudo "},
		{"podman, as root", "/etc/containers/certs.d/", "sudo "},
		{"podman, as a user", "~/.config/containers/certs.d/", ""},
	} {
		fmt.Fprintf(&b, "\n# %s\n", client.name)
		for _, a := range addresses {
			fmt.Fprintf(&b, "%sinstall -D -m 0644 %s %s%s/%s\n", client.sudo, ca, client.dir, quote(a), caFile)
		}
	}
	fmt.Fprintf(&b, "\n# aws, and the AWS SDKs: this CA instead of the public ones\nexport AWS_CA_BUNDLE=%s\n", ca)
	b.WriteString("\n# curl\n")
	for _, a := range addresses {
		fmt.Fprintf(&b, "curl --cacert %s %s\n", ca, quote("https://"+bracket(a)+"/v2/"))
	}
	return b.String()
}

// bracket writes a bare IPv6 address as URLs have it.
func bracket(address string) string {
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		return "[" + address + "]"
	}
	return address
}

// quote makes s one word of a shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
