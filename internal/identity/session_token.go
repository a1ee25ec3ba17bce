package identity

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	// sessionPrefix begins the key ids of sessions, and no others.
	sessionPrefix = "ASIA"

	// maxSession bounds a security token that a client sends, and maxRecord
	// what one may unpack to; ours are a third.
	maxSession = 12 << 10
	maxRecord  = 64 << 10
)

// record is what a session's token holds. It is in clients' hands for as long
// as the session lives: members keep their names and meaning.
type record struct {
	Nonce          []byte         `json:"n,omitempty"` // the secret is derived of it
	Account        name.AccountID `json:"a"`
	Kind           string         `json:"k"`
	UniqueID       string         `json:"u"`           // of the role or user
	Key            string         `json:"l,omitempty"` // long-term key that it was got with
	Name           string         `json:"s,omitempty"`
	Policies       []string       `json:"p,omitempty"`
	PolicyARNs     []string       `json:"pa,omitempty"`
	Tags           [][2]string    `json:"t,omitempty"`
	Transitive     []string       `json:"tt,omitempty"`
	SourceIdentity string         `json:"si,omitempty"`
	Issued         int64          `json:"i"` // in milliseconds
	Expires        int64          `json:"e"` // in seconds
	Provider       string         `json:"wp,omitempty"`
	Subject        string         `json:"ws,omitempty"`
	Audience       string         `json:"wa,omitempty"`
}

// sessionKinds spells the kinds that have sessions.
var sessionKinds = map[Kind]string{Root: "root", User: "user", RoleSession: "role"}

// recordOf returns what makes the caller's session again.
func recordOf(c Caller) record {
	s := c.Session
	unique, _, _ := strings.Cut(c.UserID, ":")
	return record{
		Account: c.Account, Kind: sessionKinds[c.Kind], UniqueID: unique, Key: s.SourceKey, Name: s.Name,
		Policies: s.Policies, PolicyARNs: s.PolicyARNs, Tags: s.Tags, Transitive: s.Transitive, SourceIdentity: s.SourceIdentity,
		Issued: s.Issued.UnixMilli(), Expires: s.Expires.Unix(), Provider: s.Provider, Subject: s.Subject, Audience: s.Audience,
	}
}

func (r record) session() *Session {
	return &Session{
		Name: r.Name, SourceKey: r.Key, Policies: r.Policies, PolicyARNs: r.PolicyARNs, Tags: r.Tags, Transitive: r.Transitive,
		SourceIdentity: r.SourceIdentity, Issued: time.UnixMilli(r.Issued).UTC(), Expires: time.Unix(r.Expires, 0).UTC(),
		Provider: r.Provider, Subject: r.Subject, Audience: r.Audience,
	}
}

// restored returns the session's caller, if what it stands on is still there:
// the role, or the user or root with the key that it was got with. errGone.
func (a *Authority) restored(tx meta.Tx, r record, keyID string) (Caller, error) {
	s := r.session()
	if r.Kind == sessionKinds[RoleSession] {
		role, err := tx.PrincipalByUniqueID(r.UniqueID)
		if err != nil {
			return Caller{}, absent(err)
		}
		account, err := tx.Account(r.Account, meta.NoLock)
		if err != nil {
			return Caller{}, absent(err)
		}
		if role.Key.Account != r.Account || role.Key.Kind != meta.Role || ended(s.Issued, account.RevokedAt) {
			return Caller{}, errGone
		}
		return roleCaller(role, keyID, s), nil
	}
	source, err := a.load(tx, r.Key)
	if err != nil {
		return Caller{}, err
	}
	c := source.caller
	if c.Account != r.Account || sessionKinds[c.Kind] != r.Kind || c.UserID != r.UniqueID || ended(s.Issued, source.revoked) {
		return Caller{}, errGone
	}
	c.KeyID, c.Session = keyID, s
	return c, nil
}

// The uses of sealed records: one is never taken for another.
const (
	asCredential = "security token\x00"
	asLogin      = "registry token\x00"
)

// sealRecord returns the record for the key id alone to open.
func (a *Authority) sealRecord(r record, use, keyID string) (string, error) {
	packed, err := pack(r)
	if err != nil {
		return "", err
	}
	sealed, err := a.signing.sessions.Seal(packed, []byte(use+keyID))
	return encode(sealed), err
}

// openRecord returns what sealRecord was given. errGone.
func (a *Authority) openRecord(token, use, keyID string) (record, error) {
	var r record
	sealed, err := decode(token)
	if err != nil {
		return r, errGone
	}
	packed, err := a.signing.sessions.Open(sealed, []byte(use+keyID))
	if err != nil || unpack(packed, &r) != nil {
		return r, errGone
	}
	return r, nil
}

// pack spells a value in few bytes.
func pack(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(packed []byte, v any) error {
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxRecord))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// opened is a session whose token was genuine, and whose principal was there.
type opened struct {
	secret Secret
	caller Caller
}

// openSession returns the session of a security token. errGone; a fault of the
// reason TokenExpired.
func (a *Authority) openSession(ctx context.Context, keyID, token string) (*opened, error) {
	if len(token) > maxSession {
		return nil, errGone
	}
	version, err := a.config.Store.RecentAccessVersion(ctx)
	if err != nil {
		return nil, err
	}
	h := hashOf(keyID + "\x00" + token)
	o, ok := a.sessions.get(h, version)
	if !ok {
		r, err := a.openRecord(token, asCredential, keyID)
		if err != nil {
			return nil, err
		}
		o = &opened{secret: a.sessionSecret(keyID, r.Nonce)}
		err = a.config.Store.View(ctx, func(tx meta.Tx) (err error) {
			o.caller, err = a.restored(tx, r, keyID)
			return err
		})
		if err != nil {
			return nil, err
		}
		a.sessions.put(h, version, o)
	}
	if !a.config.Clock().Before(o.caller.Session.Expires) {
		return nil, fault.New(fault.TokenExpired)
	}
	return o, nil
}

// sessionSecret returns the secret key of a session: 40 characters, as long as
// every secret key.
func (a *Authority) sessionSecret(keyID string, nonce []byte) Secret {
	mac := hmac.New(sha256.New, a.signing.sessionSecret)
	mac.Write([]byte(keyID + "\x00"))
	mac.Write(nonce)
	return NewSecret(base64.StdEncoding.EncodeToString(mac.Sum(nil)[:30]))
}

// newSessionKeyID returns a key id that tells its account, as those of AWS do:
// 40 bits of account and 40 that are random.
func newSessionKeyID(account name.AccountID) string {
	var id [10]byte
	number, _ := strconv.ParseUint(string(account), 10, 40) // twelve digits are less than 2^40
	for i := range 5 {
		id[i] = byte(number >> (8 * (4 - i)))
	}
	_, _ = rand.Read(id[5:]) // never fails: it ends the process instead
	return sessionPrefix + base32.StdEncoding.EncodeToString(id[:])
}

// sessionAccount returns the account that a session's key id tells.
func sessionAccount(keyID string) (name.AccountID, bool) {
	text, ok := strings.CutPrefix(keyID, sessionPrefix)
	id, err := base32.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(id) != 10 {
		return "", false
	}
	number := uint64(0)
	for _, b := range id[:5] {
		number = number<<8 | uint64(b)
	}
	digits := strconv.FormatUint(number, 10)
	if len(digits) > 12 {
		return "", false
	}
	return name.AccountID(strings.Repeat("0", 12-len(digits)) + digits), true
}
