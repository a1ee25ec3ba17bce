//go:build e2e

package e2e_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/opencontainers/go-digest"
)

// ledger is what the server acknowledged.
type ledger struct {
	mu         sync.Mutex
	blobs      map[string]digest.Digest // by repository and digest
	tags       map[string]digest.Digest // by repository:tag
	registered map[string]bool          // Lightsail image names
	entries    int
	enough     func(entries int) // called after each
}

func (l *ledger) add(write func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	write()
	l.entries++
	l.enough(l.entries)
}

// TestWhatWasAcknowledgedSurvivesKill: I4, over both doors, three times on one
// data directory.
func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	t.Run("on SQLite", func(t *testing.T) { surviveKills(t, launch{}) })
	t.Run("on PostgreSQL", func(t *testing.T) { surviveKills(t, launch{flags: []string{"--database", startPostgres(t)}}) })
}

func surviveKills(t *testing.T, how launch) {
	s := start(t, how)
	g := s.login(t)
	createService(t, s)
	l := &ledger{blobs: map[string]digest.Digest{}, tags: map[string]digest.Digest{}, registered: map[string]bool{}}
	how.dir, how.addr = s.dir, s.addr
	for round := range 3 {
		pushUntilKilled(t, s, g, l, round)
		s = start(t, how)
		// The token was issued before the kill, and holds.
		l.check(t, s, g)
	}
}

func createService(t *testing.T, s *server) {
	t.Helper()
	_, err := s.lightsail().CreateContainerService(context.Background(), &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pushUntilKilled keeps clients pushing, kills the server in their midst after
// some acknowledgements, and waits for them.
func pushUntilKilled(t *testing.T, s *server, g *registry, l *ledger, round int) {
	t.Helper()
	killed := make(chan struct{})
	var once sync.Once
	limit := l.entries + 150 + 37*round
	l.enough = func(entries int) {
		if entries >= limit {
			once.Do(func() { close(killed) })
		}
	}
	var dead atomic.Bool
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			for i := 0; !dead.Load(); i++ {
				err := l.pushImage(s, g, fmt.Sprintf("crash/repo%d", c%3), fmt.Sprintf("r%d-c%d-i%d", round, c, i), 1<<(10+(i+c)%11))
				if err != nil && answered(err) && !dead.Load() {
					t.Errorf("a push was refused: %v", err)
					once.Do(func() { close(killed) })
					return
				}
			}
		})
	}
	clients.Go(func() {
		for !dead.Load() {
			l.register(s, t)
		}
	})
	<-killed
	s.kill()
	dead.Store(true)
	clients.Wait()
}

// pushImage pushes an image of a fresh layer of some size, and gives it a
// second tag through the AWS door.
func (l *ledger) pushImage(s *server, g *registry, repo, tag string, size int) error {
	layer := make([]byte, size)
	_, _ = rand.Read(layer)
	config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","tag":%q}`, tag)
	push := g.pushBlob
	if size%3 == 0 || size > 1<<18 {
		push = g.streamBlob
	}
	for _, b := range [][]byte{config, layer} {
		if err := push(repo, b); err != nil {
			return err
		}
		d := digest.FromBytes(b)
		l.add(func() { l.blobs[repo+" "+d.String()] = d })
	}
	m := manifestOf(config, layer)
	if err := g.putManifest(repo, tag, m); err != nil {
		return err
	}
	l.add(func() { l.tags[repo+" "+tag] = digest.FromBytes(m) })
	_, err := s.ecr().PutImage(context.Background(), &ecr.PutImageInput{
		RepositoryName: aws.String(repo), ImageManifest: aws.String(string(m)), ImageTag: aws.String(tag + "-aws"),
	})
	if err != nil {
		return err
	}
	l.add(func() { l.tags[repo+" "+tag+"-aws"] = digest.FromBytes(m) })
	return nil
}

// register pushes an image to sr and registers it.
func (l *ledger) register(s *server, t *testing.T) {
	ctx, client := context.Background(), s.lightsail()
	login, err := client.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		return
	}
	sr := &registry{s.url(), basic(aws.ToString(login.RegistryLogin.Username), aws.ToString(login.RegistryLogin.Password)), http.DefaultClient}
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	layer := make([]byte, 2000)
	_, _ = rand.Read(layer)
	m := manifestOf(config, layer)
	for _, b := range [][]byte{config, layer} {
		if sr.pushBlob("sr", b) != nil {
			return
		}
	}
	if sr.putManifest("sr", "1-"+randomSuffix(), m) != nil {
		return
	}
	out, err := client.RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: aws.String("web"), Label: aws.String("app"), Digest: aws.String(digest.FromBytes(m).String()),
	})
	if err != nil {
		return
	}
	name := aws.ToString(out.ContainerImage.Image)
	l.add(func() {
		if l.registered[name] {
			t.Errorf("%s was given twice", name)
		}
		l.registered[name] = true
	})
}

// check reads everything back.
func (l *ledger) check(t *testing.T, s *server, g *registry) {
	t.Helper()
	if len(l.tags) == 0 || len(l.blobs) == 0 || len(l.registered) == 0 {
		t.Fatalf("acknowledged too little to prove anything: %d blobs, %d tags, %d registered", len(l.blobs), len(l.tags), len(l.registered))
	}
	for key, want := range l.blobs {
		repo, name, _ := strings.Cut(key, " ")
		b, err := g.getBlob(repo, digest.Digest(name))
		if err != nil || digest.FromBytes(b) != want {
			t.Errorf("blob %s was acknowledged; now %d bytes, error %v", key, len(b), err)
		}
	}
	for key, want := range l.tags {
		repo, tag, _ := strings.Cut(key, " ")
		m, err := g.getManifest(repo, tag)
		if err != nil || digest.FromBytes(m) != want {
			t.Errorf("image %s was acknowledged as %s; now %s, error %v", key, want, digest.FromBytes(m), err)
		}
	}
	out, err := s.lightsail().GetContainerImages(context.Background(), &lightsail.GetContainerImagesInput{ServiceName: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, i := range out.ContainerImages {
		there[aws.ToString(i.Image)] = true
	}
	for name := range l.registered {
		if !there[name] {
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	t.Logf("read back %d blobs, %d tags, %d registered images", len(l.blobs), len(l.tags), len(l.registered))
}
