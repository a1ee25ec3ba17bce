// Package kmstest stands in for AWS KMS in tests: Encrypt, Decrypt and
// GenerateDataKey of symmetric keys, in AWS's wire form, on a loopback port.
//
//  1. A request counts only if the stand-in's own access key signed it, for
//     the service kms in the stand-in's region.
//  2. What one key encrypted opens with no other key, and only with the same
//     encryption context.
//  3. A key is known by its ARN, its id and its aliases, and answers name the
//     ARN.
//
// It does not retry, grant, rotate or remember anything but its keys.
package kmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/sigv4"
)

const (
	// Region is the only one that requests may be signed for.
	Region = "eu-west-1"

	keyID  = "AKIAKMSSTANDIN000000"
	secret = "kms-stand-in-secret-0123456789abcdefghij"
)

// Service is a KMS with some keys. Its methods are safe for concurrent use.
type Service struct {
	URL string

	server *httptest.Server
	mu     sync.Mutex
	keys   map[string]*key // by ARN, id and alias
	code   string          // what is refused with; empty: nothing is
	only   []string        // operations that are refused; empty: all
	asked  []string
}

type key struct {
	arn  string
	aead cipher.AEAD
}

// Start runs a service without keys until the test ends.
func Start(t testing.TB) *Service {
	s := &Service{keys: map[string]*key{}}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL
	t.Cleanup(s.Close)
	return s
}

// Close ends the service; whoever asks then gets no connection.
func (s *Service) Close() { s.server.Close() }

// AddKey makes a key with aliases, each of the form alias/NAME, and returns its
// ARN.
func (s *Service) AddKey(aliases ...string) string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err) // the length is right
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	h := hex.EncodeToString(raw[:16]) // of no use to anybody: it is a test's key
	id := fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
	k := &key{arn: "arn:aws:kms:" + Region + ":111122223333:key/" + id, aead: aead}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range append([]string{k.arn, id}, aliases...) {
		s.keys[name] = k
	}
	return k.arn
}

// Refuse answers the operations with an error from now on, all of them if none
// is named; an empty code ends that.
func (s *Service) Refuse(code string, operations ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.only = code, operations
}

// Asked is every genuine request, each as its operation and the key that it
// names.
func (s *Service) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Source is how the setting master-key names a key of the service.
func (s *Service) Source(key string) string {
	return "awskms://" + key + "?region=" + Region + "&endpoint=" + s.URL
}

// Environ is the AWS credentials of the service, and nothing of the machine's:
// dir has no files of AWS's. Nothing is asked twice.
func Environ(dir string) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + keyID, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_REGION=", "AWS_DEFAULT_REGION=",
		"AWS_CONFIG_FILE=" + filepath.Join(dir, "no-config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "no-credentials"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
	}
}

// message is the members of all requests and answers.
type message struct {
	KeyId             string            `json:",omitempty"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
	NumberOfBytes     int               `json:",omitempty"`
	KeySpec           string            `json:",omitempty"`
}

// refusal is an error of the service.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code }

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	out, err := s.answer(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": err.code, "message": err.message})
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Service) answer(r *http.Request) (*message, *refusal) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return nil, &refusal{"SerializationException", err.Error()}
	}
	if err := verify(r, body); err != nil {
		return nil, &refusal{"InvalidSignatureException", err.Error()}
	}
	var in message
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &refusal{"SerializationException", err.Error()}
	}
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if !ok {
		return nil, &refusal{"UnknownOperationException", ""}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, operation+" "+in.KeyId)
	if s.code != "" && (len(s.only) == 0 || slices.Contains(s.only, operation)) {
		return nil, &refusal{s.code, "the stand-in was told to refuse " + operation}
	}
	k, ok := s.keys[in.KeyId]
	if !ok {
		return nil, &refusal{"NotFoundException", "Key '" + in.KeyId + "' does not exist"}
	}
	return k.do(operation, in)
}

func verify(r *http.Request, body []byte) error {
	signed, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	if signed.KeyID != keyID {
		return fmt.Errorf("access key %s is not the stand-in's", signed.KeyID)
	}
	sum := sha256.Sum256(body)
	return signed.Verify(sigv4.Expectation{
		Service: "kms", Region: func(region string) bool { return region == Region }, Now: time.Now(),
	}, secret, hex.EncodeToString(sum[:]))
}

func (k *key) do(operation string, in message) (*message, *refusal) {
	bound, err := json.Marshal(in.EncryptionContext) // maps are written in the order of their keys
	if err != nil {
		return nil, &refusal{"SerializationException", err.Error()}
	}
	switch operation {
	case "Encrypt":
		return &message{KeyId: k.arn, CiphertextBlob: k.seal(in.Plaintext, bound)}, nil
	case "GenerateDataKey":
		data := make([]byte, max(in.NumberOfBytes, 32))
		_, _ = rand.Read(data) // never fails
		return &message{KeyId: k.arn, Plaintext: data, CiphertextBlob: k.seal(data, bound)}, nil
	case "Decrypt":
		wrappedBy, blob, _ := strings.Cut(string(in.CiphertextBlob), "\n")
		if wrappedBy != k.arn {
			return nil, &refusal{"IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation."}
		}
		plain, err := k.aead.Open(nil, nil, []byte(blob), bound)
		if err != nil {
			return nil, &refusal{"InvalidCiphertextException", ""}
		}
		return &message{KeyId: k.arn, Plaintext: plain}, nil
	}
	return nil, &refusal{"UnknownOperationException", ""}
}

// seal puts the key's name before what it encrypts.
func (k *key) seal(plain, bound []byte) []byte {
	return append([]byte(k.arn+"\n"), k.aead.Seal(nil, nil, plain, bound)...)
}
