package testkit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/testkit"
)

// big is a layer too large to be kept inline.
var big = []byte(strings.Repeat("layer ", 100_000))

// TestTheMainJob goes once through every floor: each door, both stores, a
// restart, the background passes and the invariants.
func TestTheMainJob(t *testing.T) {
	ctx := context.Background()
	s := testkit.Start(t)
	if who, err := s.STS().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil || aws.ToString(who.Account) != "000000000000" {
		t.Fatalf("GetCallerIdentity: %v, %v", who, err)
	}
	if _, err := s.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")}); err != nil {
		t.Fatal(err)
	}
	login := s.Login()
	manifest, pushedDigest := s.PushImage(login, "team/app", "one", []byte("{}"), []byte("small"), big)
	if _, err := s.ECR().PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("team/app"), ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("two")}); err != nil {
		t.Fatal(err)
	}

	if _, err := s.Lightsail().CreateContainerService(ctx, &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	}); err != nil {
		t.Fatal(err)
	}
	_, pushed := s.PushImage(s.LightsailLogin(), "sr", "1795233912982000000-0123456789abc", []byte("{}"), big)
	registered, err := s.Lightsail().RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: aws.String("web"), Label: aws.String("front"), Digest: aws.String(pushed),
	})
	if err != nil || aws.ToString(registered.ContainerImage.Image) != ":web.front.1" {
		t.Fatalf("RegisterContainerImage: %v, %v", registered, err)
	}

	s.CheckInvariants(t)
	s.Restart()
	for _, pass := range []string{"park uploads", "collect garbage", "record pulls"} {
		s.Pass(pass)
	}
	if pulled := s.Do(login, "GET", "/v2/team/app/manifests/two", nil); string(pulled.Body) != string(manifest) {
		t.Errorf("pulled %d %s", pulled.Status, pulled.Body)
	}
	if layer := s.Do(login, "GET", "/v2/team/app/blobs/"+testkit.Digest(big), nil); string(layer.Body) != string(big) {
		t.Errorf("pulled a layer of %d bytes: %d", len(layer.Body), layer.Status)
	}
	described, err := s.ECR().DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: aws.String("team/app"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("two")}},
	})
	if err != nil || aws.ToString(described.ImageDetails[0].ImageDigest) != pushedDigest {
		t.Errorf("DescribeImages: %v, %v", described, err)
	}
	images, err := s.Lightsail().GetContainerImages(ctx, &lightsail.GetContainerImagesInput{ServiceName: aws.String("web")})
	if err != nil || len(images.ContainerImages) != 1 {
		t.Errorf("GetContainerImages: %v, %v", images, err)
	}
	s.CheckInvariants(t)
}

// recorder notes what CheckInvariants complains of.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// TestCheckInvariantsFinds breaks the stores beneath the server in each way
// that the contracts allow.
func TestCheckInvariantsFinds(t *testing.T) {
	key := meta.RepositoryKey{
		Registry: name.RegistryID{Account: "000000000000", Region: "us-east-1"}, Space: meta.ECR, Name: "team/app",
	}
	layer := func(s *testkit.Server, content []byte) (l meta.Layer) {
		err := s.Meta.View(context.Background(), func(tx meta.Tx) (err error) {
			l, err = tx.FindLayer(key, digest.Digest(testkit.Digest(content)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, tc := range []struct {
		name string
		harm func(s *testkit.Server) error
		want string
	}{
		{"bytes that are gone", func(s *testkit.Server) error {
			return s.Blobs.Remove(context.Background(), layer(s, big).Blob.Location)
		}, "I2"},
		{"a blob in doubt", func(s *testkit.Server) error {
			small := layer(s, []byte("small")).Blob.ID
			return s.Meta.Update(context.Background(), func(tx meta.Tx) error { return tx.SetBlobState(small, meta.BlobSuspect) })
		}, "I2"},
		{"an image without its layers", func(s *testkit.Server) error {
			return s.Meta.Update(context.Background(), func(tx meta.Tx) error {
				r, err := tx.Repository(key, meta.LockShared)
				if err != nil {
					return err
				}
				m := testkit.Manifest([]byte("absent"))
				_, err = tx.InsertImage(meta.Image{Repository: r.ID, Digest: digest.Digest(testkit.Digest(m)), MediaType: testkit.ManifestType}, m, nil, nil)
				return err
			})
		}, "I1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testkit.Start(t)
			s.PushImage(s.Login(), "team/app", "one", []byte("{}"), []byte("small"), big)
			well := &recorder{TB: t}
			if s.CheckInvariants(well); len(well.said) > 0 {
				t.Fatalf("before the harm: %v", well.said)
			}
			if err := tc.harm(s); err != nil {
				t.Fatal(err)
			}
			ill := &recorder{TB: t}
			if s.CheckInvariants(ill); len(ill.said) == 0 || !strings.HasPrefix(ill.said[0], tc.want+":") {
				t.Errorf("said %v, want %s", ill.said, tc.want)
			}
		})
	}
}
