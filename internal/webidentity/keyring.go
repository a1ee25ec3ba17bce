package webidentity

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/lighterage/lighterage/internal/fault"
)

const (
	// keysTime is how long keys are taken as the issuer's. It bounds how long a
	// key that the issuer has withdrawn is still believed.
	keysTime = time.Hour
	// askEvery is how often an issuer is asked at most: for a key that is not
	// among those known, or again after it did not answer.
	askEvery = 10 * time.Second
	// maxIssuers bounds the issuers whose keys are kept, maxKeys those of one.
	maxIssuers = 256
	maxKeys    = 64

	minRSA, maxRSA = 2048, 8192 // bits
)

// keyring keeps the keys of issuers.
type keyring struct {
	client *http.Client
	clock  func() time.Time

	mu      sync.Mutex
	issuers map[string]*issuer
}

// issuer is one's keys. Everybody may read known; who holds turn may write it,
// and read and write the rest.
type issuer struct {
	known atomic.Pointer[published] // nil: the keys were never fetched
	turn  chan struct{}
	asked time.Time // when it was tried last
	err   error     // of that
}

// published is what an issuer published at a time.
type published struct {
	keys  []jose.JSONWebKey
	since time.Time
}

func newKeyring(client *http.Client, clock func() time.Time) *keyring {
	return &keyring{client: client, clock: clock, issuers: map[string]*issuer{}}
}

// issuer returns the place of an issuer's keys. When there are too many, some
// other one is forgotten.
func (k *keyring) issuer(of string) *issuer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i, ok := k.issuers[of]; ok {
		return i
	}
	for other := range k.issuers {
		if len(k.issuers) < maxIssuers {
			break
		}
		delete(k.issuers, other)
	}
	i := &issuer{turn: make(chan struct{}, 1)}
	k.issuers[of] = i
	return i
}

// find returns the keys of an issuer that may have the id; of an empty id, all.
// Who asks for a key that is known does not wait while the issuer is asked.
func (k *keyring) find(ctx context.Context, of, id string) ([]jose.JSONWebKey, error) {
	i := k.issuer(of)
	if found, fresh := i.matching(id, k.clock()); fresh && len(found) > 0 {
		return found, nil
	}
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Overloaded, ctx.Err())
	}
	defer func() { <-i.turn }()
	now := k.clock()
	found, fresh := i.matching(id, now)
	if fresh && len(found) > 0 {
		return found, nil
	}
	if i.asked.IsZero() || now.Sub(i.asked) >= askEvery || now.Before(i.asked) {
		i.asked = now
		var keys []jose.JSONWebKey
		if keys, i.err = k.fetch(ctx, of); i.err == nil {
			i.known.Store(&published{keys, now})
			found, fresh = i.matching(id, now)
		}
	}
	switch {
	case !fresh:
		return nil, &fault.Error{Reason: fault.IssuerUnreachable, Detail: "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements", Err: i.err}
	case len(found) == 0:
		return nil, invalid("The ID Token is signed with a key that its identity provider does not publish.")
	}
	return found, nil
}

// matching returns the known keys that may have the id, and whether what is
// known is still taken as the issuer's.
func (i *issuer) matching(id string, now time.Time) (found []jose.JSONWebKey, fresh bool) {
	p := i.known.Load()
	if p == nil || now.Sub(p.since) >= keysTime || now.Before(p.since) {
		return nil, false
	}
	for _, key := range p.keys {
		if id == "" || key.KeyID == id {
			found = append(found, key)
		}
	}
	return found, true
}

// fetch asks an issuer for its keys. A client that leaves does not end it: its
// answer is for all.
func (k *keyring) fetch(ctx context.Context, of string) ([]jose.JSONWebKey, error) {
	at, err := url.Parse(of)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(withProvider(context.WithoutCancel(ctx), at), 2*fetchTime)
	defer cancel()
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), of)
	if err != nil {
		return nil, fmt.Errorf("discover the issuer: %s", shown(err.Error())) // it may quote the answer
	}
	var where struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&where); err != nil {
		return nil, fmt.Errorf("discover the issuer: %s", shown(err.Error()))
	}
	keys, err := k.fetchKeys(ctx, where.Keys)
	if err != nil {
		return nil, fmt.Errorf("fetch the issuer's keys: %s", shown(err.Error()))
	}
	return keys, nil
}

func (k *keyring) fetchKeys(ctx context.Context, from string) (keys []jose.JSONWebKey, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		// A key of a kind that is not known is one for others.
		if json.Unmarshal(text, &key) == nil && usable(key) && len(keys) < maxKeys {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is none that signs with RS256 or ES256")
	}
	return keys, nil
}

// usable reports whether a key may sign tokens.
func usable(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || !key.Valid() || !key.IsPublic() {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return (key.Algorithm == "" || key.Algorithm == oidc.RS256) && public.N.BitLen() >= minRSA && public.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return (key.Algorithm == "" || key.Algorithm == oidc.ES256) && public.Curve.Params().BitSize == 256
	}
	return false
}

// keySet is an issuer's keys, as package oidc wants them, for one token.
type keySet struct {
	keyring *keyring
	issuer  string
	failed  error // why there was no key; package oidc keeps only the text
}

// VerifySignature implements oidc.KeySet.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, err
	}
	keys, err := s.keyring.find(ctx, s.issuer, signed.Signatures[0].Header.KeyID)
	if err != nil {
		s.failed = err
		return nil, err
	}
	for _, key := range keys {
		if payload, err := signed.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key fits the signature")
}
