package sts_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/meta"
)

func TestGetSessionToken(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", "")
	for _, tt := range []struct {
		name        string
		of          *sdk.Client
		asked       *int32
		lasts       time.Duration
		arn, userID string
	}{
		{"of a user", alice, nil, 12 * time.Hour, "arn:aws:iam::123456789012:user/alice", "AIDAalice"},
		{"of a user, as short as can be", alice, aws.Int32(900), 15 * time.Minute, "arn:aws:iam::123456789012:user/alice", "AIDAalice"},
		{"of a user, as long as can be", alice, aws.Int32(129600), 36 * time.Hour, "arn:aws:iam::123456789012:user/alice", "AIDAalice"},
		{"of a root, which gets an hour at most", w.root(), aws.Int32(129600), time.Hour, "arn:aws:iam::123456789012:root", "123456789012"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.of.GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{DurationSeconds: tt.asked})
			if err != nil {
				t.Fatal(err)
			}
			if lasts := got.Credentials.Expiration.Sub(w.now()); lasts > tt.lasts || lasts < tt.lasts-time.Minute {
				t.Errorf("lasts %v, want %v", lasts, tt.lasts)
			}
			w.is(w.with(got.Credentials), tt.arn, tt.userID)
		})
	}
}

func TestGetSessionTokenRefusals(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", "")
	session, err := alice.GetSessionToken(t.Context(), nil)
	w.must(err)
	for _, tt := range []struct {
		name          string
		by            *sdk.Client
		in            sdk.GetSessionTokenInput
		status        int
		code, message string
	}{
		{"with a session", w.with(session.Credentials), sdk.GetSessionTokenInput{}, 403, "AccessDenied", "Cannot call GetSessionToken with session credentials"},
		{"for a moment", alice, sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(899)}, 400, "ValidationError", "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		{"for a week", alice, sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(604800)}, 400, "ValidationError", "1 validation error detected: Value '604800' at 'durationSeconds'"},
		{"with a device", alice, sdk.GetSessionTokenInput{SerialNumber: aws.String("arn:aws:iam::123456789012:mfa/alice"), TokenCode: aws.String("123456")}, 403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.by.GetSessionToken(t.Context(), &tt.in)
			wantAPIError(t, err, tt.status, tt.code, tt.message)
		})
	}
}

func TestASessionEndsWithWhatItStandsOn(t *testing.T) {
	for name, end := range map[string]struct {
		how           func(*world)
		code, message string
	}{
		"with its time": {func(w *world) { w.pass(16 * time.Minute) }, "ExpiredToken", "The security token included in the request is expired"},
		"with its key": {func(w *world) {
			w.update(func(tx meta.Tx) error {
				k, err := tx.AccessKey("AKIAalice")
				if err != nil {
					return err
				}
				k.Active = false
				return tx.SetAccessKey(k)
			})
		}, "InvalidClientTokenId", "The security token included in the request is invalid."},
		"with the account's revocation": {func(w *world) {
			w.update(func(tx meta.Tx) error { return tx.SetAccount(meta.Account{ID: account, RevokedAt: w.now()}) })
		}, "InvalidClientTokenId", "The security token included in the request is invalid."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.user(account, "alice", "")
			session, err := alice.GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
			w.must(err)
			w.is(w.with(session.Credentials), "arn:aws:iam::123456789012:user/alice", "AIDAalice")
			end.how(w)
			_, err = w.with(session.Credentials).GetCallerIdentity(t.Context(), nil)
			wantAPIError(t, err, 403, end.code, end.message)
		})
	}
}
