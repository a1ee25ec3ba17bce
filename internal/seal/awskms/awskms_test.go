package awskms_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/seal/awskms"
	"github.com/lighterage/lighterage/internal/seal/awskms/kmstest"
)

// settle gives the test the AWS settings of the stand-in and then others.
func settle(t *testing.T, more ...string) {
	t.Helper()
	for _, line := range append(kmstest.Environ(t.TempDir()), more...) {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

func vault(t *testing.T, s *kmstest.Service, key string) *awskms.Vault {
	t.Helper()
	v, err := awskms.New(t.Context(), awskms.Config{Key: key, Region: kmstest.Region, Endpoint: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsWrappedUnwraps(t *testing.T) {
	settle(t)
	kms := kmstest.Start(t)
	one, other := kms.AddKey("alias/one"), kms.AddKey()
	wrapped, id, err := vault(t, kms, "alias/one").Wrap(t.Context(), "the text")
	if err != nil || !strings.HasSuffix(one, "/"+id) || strings.Contains(string(wrapped), "the text") {
		t.Fatalf("wrapped %q by %s, error %v", wrapped, id, err)
	}
	for _, key := range []string{one, id, "alias/one"} {
		if text, err := vault(t, kms, key).Unwrap(t.Context(), wrapped); err != nil || text != "the text" {
			t.Errorf("by %s: %q, error %v", key, text, err)
		}
	}
	if _, err := vault(t, kms, other).Unwrap(t.Context(), wrapped); err == nil || !strings.Contains(err.Error(), "IncorrectKeyException") {
		t.Errorf("by another key: %v", err)
	}
	want := []string{"Encrypt alias/one", "Decrypt " + one, "Decrypt " + id, "Decrypt alias/one", "Decrypt " + other}
	if diff := cmp.Diff(want, kms.Asked()); diff != "" {
		t.Errorf("KMS was asked (-want +got):\n%s", diff)
	}
}

func TestSettingsThatAreMissing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		key     string
		environ []string
		want    string
	}{
		{"no region", "alias/one", nil, "the region of KMS key alias/one is not known; add ?region=… or set AWS_REGION"},
		{"no credentials", "arn:aws:kms:eu-west-1:111122223333:alias/one", []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="},
			"there are no AWS credentials for KMS key arn:aws:kms:eu-west-1:111122223333:alias/one; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or container a role ("},
		{"a profile that is not there", "alias/one", []string{"AWS_PROFILE=none"}, "cannot read the AWS settings for KMS key alias/one: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			settle(t, tt.environ...)
			_, err := awskms.New(t.Context(), awskms.Config{Key: tt.key})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAnErrorIsOneSentence(t *testing.T) {
	settle(t)
	refusing, away := kmstest.Start(t), kmstest.Start(t)
	refusing.Refuse("AccessDeniedException")
	away.Close()
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	secretive := strings.Replace(away.URL, "http://", "http://me:hush-hush@", 1)
	for _, tt := range []struct{ name, endpoint, want string }{
		{"refused", refusing.URL, "KMS at " + refusing.URL + " refuses to encrypt with key alias/one: AccessDeniedException: the stand-in was told to refuse Encrypt"},
		{"away", away.URL, "KMS at " + away.URL + " does not answer: connection refused"},
		{"away, with a password", secretive, "KMS at " + strings.Replace(secretive, "hush-hush", "xxxxx", 1) + " does not answer: connection refused"},
		{"not KMS", stranger.URL, "KMS at " + stranger.URL + " cannot encrypt with key alias/one: the answer is not KMS's (HTTP status 404)"},
		{"not trusted", untrusted.URL, "KMS at " + untrusted.URL + " does not answer: x509: certificate signed by unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := awskms.New(t.Context(), awskms.Config{Key: "alias/one", Region: kmstest.Region, Endpoint: tt.endpoint})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := v.Wrap(t.Context(), "text"); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestTheStandInBelievesNobody, or a start that forgets to sign would pass.
func TestTheStandInBelievesNobody(t *testing.T) {
	settle(t, "AWS_SECRET_ACCESS_KEY=another")
	kms := kmstest.Start(t)
	kms.AddKey("alias/one")
	if _, _, err := vault(t, kms, "alias/one").Wrap(t.Context(), "text"); err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") {
		t.Errorf("signed with another secret: %v", err)
	}
	resp, err := http.Post(kms.URL, "application/x-amz-json-1.1", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || len(kms.Asked()) != 0 {
		t.Errorf("without a signature: %s, asked %v", resp.Status, kms.Asked())
	}
}
