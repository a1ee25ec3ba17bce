package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// Download is the one layer that a download link gives to whoever holds it.
type Download struct {
	Registry   name.RegistryID
	Space      byte // the store's number of the repository's space; nothing is read into it here
	Repository name.RepositoryName
	Digest     digest.Digest
}

// IssueDownload returns a signed string for a URL that needs no further
// credentials: letters, digits and "-_." only. It does not say who may fetch;
// the caller was allowed to before it is made.
func (a *Authority) IssueDownload(d Download) string {
	content := strings.Join([]string{
		strconv.FormatInt(a.config.Clock().Add(a.config.DownloadTTL).Unix(), 10),
		string(d.Registry.Account), string(d.Registry.Region),
		strconv.Itoa(int(d.Space)), string(d.Repository), string(d.Digest),
	}, "\n")
	return a.signing.id + "." + encode([]byte(content)) + "." + encode(a.downloadMAC(content))
}

// VerifyDownload returns what the link is for. The fault's reason is
// TokenExpired for a link that was good once, else TokenInvalid.
func (a *Authority) VerifyDownload(token string) (Download, error) {
	bad := fault.New(fault.TokenInvalid)
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || parts[0] != a.signing.id {
		return Download{}, bad
	}
	content, err := decode(parts[1])
	if err != nil {
		return Download{}, bad
	}
	mac, err := decode(parts[2])
	if err != nil || !hmac.Equal(mac, a.downloadMAC(string(content))) {
		return Download{}, bad
	}
	// From here on the content is our own.
	fields := strings.Split(string(content), "\n")
	if len(fields) != 6 {
		return Download{}, bad
	}
	expires, expiresErr := strconv.ParseInt(fields[0], 10, 64)
	space, spaceErr := strconv.ParseUint(fields[3], 10, 8)
	if expiresErr != nil || spaceErr != nil {
		return Download{}, bad
	}
	if !a.config.Clock().Before(time.Unix(expires, 0)) {
		return Download{}, fault.New(fault.TokenExpired)
	}
	return Download{
		Registry:   name.RegistryID{Account: name.AccountID(fields[1]), Region: name.Region(fields[2])},
		Space:      byte(space),
		Repository: name.RepositoryName(fields[4]),
		Digest:     digest.Digest(fields[5]),
	}, nil
}

func (a *Authority) downloadMAC(content string) []byte {
	mac := hmac.New(sha256.New, a.signing.download)
	mac.Write([]byte(content))
	return mac.Sum(nil)
}
