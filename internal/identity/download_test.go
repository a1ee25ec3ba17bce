package identity_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

var layer = identity.Download{
	Registry:   name.RegistryID{Account: account, Region: region},
	Space:      1,
	Repository: "team/app",
	Digest:     "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}

func TestADownloadLinkGivesItsLayerForAnHour(t *testing.T) {
	c := &clock{start}
	store := newSecrets()
	link := newAuthority(t, store, c, rootKey("secret")).IssueDownload(layer)
	if !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(link) {
		t.Errorf("%q is not safe in a URL", link)
	}
	replica := newAuthority(t, store, c, rootKey("secret"))
	c.now = start.Add(time.Hour - time.Second)
	got, err := replica.VerifyDownload(link)
	if diff := cmp.Diff(layer, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	c.now = start.Add(time.Hour)
	_, err = replica.VerifyDownload(link)
	wantReason(t, err, fault.TokenExpired)
}

func TestForgedDownloadLinksAreRefused(t *testing.T) {
	c := &clock{start}
	a := newAuthority(t, newSecrets(), c, rootKey("secret"))
	link := a.IssueDownload(layer)
	for _, s := range []string{
		"", ".", "..", link[:len(link)-1], link + "A", link + ".", link + "\n", issue(t, a, identity.FullScope).Password,
		newAuthority(t, newSecrets(), c, rootKey("secret")).IssueDownload(layer),
	} {
		_, err := a.VerifyDownload(s)
		wantReason(t, err, fault.TokenInvalid)
	}
	for i := range link {
		for bit := range 7 {
			b := []byte(link)
			b[i] ^= 1 << bit
			if got, err := a.VerifyDownload(string(b)); !fault.Is(err, fault.TokenInvalid) {
				t.Fatalf("%s gives %+v, %v; want TokenInvalid", b, got, err)
			}
		}
	}
}
