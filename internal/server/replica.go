package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/worker"
)

const (
	// rootSecret is the purpose under which shared stores keep the root
	// credentials, sealed.
	rootSecret = "root-credentials"
	// presence begins the name of the lease that each of several servers has for
	// as long as it serves. It is prolonged every presenceEvery.
	presence      = "server/"
	presenceTime  = 30 * time.Second
	presenceEvery = 10 * time.Second
	// joining is the lease of who compares its root credentials with those of
	// the others. joinTime is how long one waits for the others to have done so.
	joining  = "join"
	joinTime = 30 * time.Second
	joinLook = 20 * time.Millisecond
)

// ReplicaID draws what one life of a server is called among those on its stores;
// it is empty where there can be no other.
func ReplicaID(c config.Config) string {
	if !c.Shared() {
		return ""
	}
	return uuid.NewString()
}

// checkShared refuses a key that would be made in one server's directory, where
// no other has it.
func checkShared(c config.Config) error {
	if c.Shared() && len(c.MasterKeys) == 0 {
		return c.Fault("master-key", errors.New("must be given with PostgreSQL and S3, the same to all servers: a key made in the data directory of one is not there for the others"))
	}
	return nil
}

// SharedRoot returns the root credentials of servers on shared stores: those of
// the environment, which all must be given alike, else those in the store, else
// new ones. The data directory gets a copy, for lighterage env. From then on the
// server is present, as replica.
//
// Credentials that differ from the store's replace them if no other server
// serves with those. Errors are *config.Error and others.
func SharedRoot(ctx context.Context, c config.Config, environ []string, replica string, store meta.Store, s *seal.Sealer, log *slog.Logger) (config.Credentials, error) {
	given, ok, err := config.GivenCredentials(environ)
	if err != nil {
		return given, err
	}
	j := join{replica: replica, seal: s, key: given, given: ok}
	if !ok {
		j.key = config.NewCredentials()
	}
	limit, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	tick := time.NewTicker(joinLook)
	defer tick.Stop()
	for {
		err := store.Update(ctx, j.run)
		if !errors.Is(err, meta.ErrConflict) {
			if err != nil {
				return config.Credentials{}, err
			}
			break
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			return config.Credentials{}, fmt.Errorf("compare root credentials with those of other servers: %w", err)
		}
	}
	if j.former != "" {
		log.Info("the root access key was replaced; the former one is refused from now on", "key", j.root.AccessKeyID, "former", j.former)
	} else if j.made {
		log.Info("a root access key was stored", "key", j.root.AccessKeyID)
	}
	return j.root, config.KeepCredentials(c.DataDir, j.root)
}

// join is the transaction by which a server comes to serve beside others.
type join struct {
	replica string
	seal    *seal.Sealer
	key     config.Credentials // given, or drawn for stores that have none
	given   bool

	root   config.Credentials
	made   bool
	former string // id of a key that was replaced
}

func (j *join) run(tx meta.Tx) error {
	j.root, j.made, j.former = j.key, false, ""
	// The row is held until the end: two that join do so one after the other.
	if _, err := tx.TakeLease(joining, j.replica, 0); err != nil {
		return err
	}
	sealed, err := tx.Secret(rootSecret)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		j.made = true
		err = j.keep(tx.PutSecret)
	case err == nil:
		err = j.agree(tx, sealed)
	}
	if err != nil {
		return err
	}
	_, err = tx.TakeLease(presence+j.replica, j.replica, presenceTime)
	return err
}

// agree takes the stored key, or replaces it by the given one.
func (j *join) agree(tx meta.Tx, sealed []byte) error {
	text, err := j.seal.Open(sealed, []byte(rootSecret))
	if err != nil {
		return fmt.Errorf("open the stored root credentials: %w", err)
	}
	id, secret, _ := strings.Cut(string(text), "\n")
	stored := config.Credentials{AccessKeyID: id, SecretAccessKey: config.Secret(secret)}
	if !j.given || stored == j.key {
		j.root = stored
		return nil
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	others, err := tx.Leases(presence)
	if err != nil {
		return err
	}
	for _, l := range others {
		if l.Holder != j.replica && l.ExpiresAt.After(now) {
			return config.RootFault(fmt.Errorf("and its secret are not those of the servers that run on the same database, whose root access key is %s: give the same to all, or stop all others half a minute before it is replaced", id))
		}
	}
	j.former = id
	return j.keep(tx.SetSecret)
}

func (j *join) keep(store func(purpose string, value []byte) error) error {
	sealed, err := j.seal.Seal([]byte(j.key.AccessKeyID+"\n"+j.key.SecretAccessKey.Reveal()), []byte(rootSecret))
	if err != nil {
		return err
	}
	return store(rootSecret, sealed)
}

// resealRoot is for a master key that was replaced.
func resealRoot(ctx context.Context, store meta.Store, s *seal.Sealer) (changed bool, err error) {
	err = store.Update(ctx, func(tx meta.Tx) error {
		changed = false
		sealed, err := tx.Secret(rootSecret)
		if errors.Is(err, meta.ErrNotFound) || err == nil && !s.Stale(sealed) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := s.Open(sealed, []byte(rootSecret))
		if err != nil {
			return err
		}
		if sealed, err = s.Seal(text, []byte(rootSecret)); err != nil {
			return err
		}
		changed = true
		return tx.SetSecret(rootSecret, sealed)
	})
	return changed, err
}

// among has the passes that one of several servers does done by one, and says
// again and again that this server is there.
func (s *Server) among(passes []worker.Pass) []worker.Pass {
	if s.leases == nil {
		return passes
	}
	for i, p := range passes {
		if p.Once {
			passes[i] = s.leases.Bind(p)
		}
	}
	return append(passes, worker.Pass{Name: "be present", Every: presenceEvery, Run: s.bePresent})
}

// bePresent also forgets servers that have been gone for long.
func (s *Server) bePresent(ctx context.Context) error {
	return s.parts.Meta.Update(ctx, func(tx meta.Tx) error {
		l, err := tx.TakeLease(presence+s.parts.Replica, s.parts.Replica, presenceTime)
		if err != nil {
			return err
		}
		all, err := tx.Leases(presence)
		if err != nil {
			return err
		}
		for _, other := range all {
			if l.ExpiresAt.Sub(other.ExpiresAt) > time.Hour {
				if err := tx.EndLease(other.Name, other.Holder); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// leave lets the other servers have what this one did.
func (s *Server) leave(ctx context.Context) error {
	if s.leases == nil {
		return nil
	}
	if err := s.leases.EndAll(ctx); err != nil {
		return err
	}
	return s.parts.Meta.Update(ctx, func(tx meta.Tx) error { return tx.EndLease(presence+s.parts.Replica, s.parts.Replica) })
}
