//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/lightsail/types"
)

// testLightsailctl does what `aws lightsail push-container-image` does through
// lightsailctl: the same calls, in its order, over the Docker Engine API.
func testLightsailctl(t *testing.T, e *engine) {
	const local = "lightsailctl:local"
	ctx, s := context.Background(), start(t, launch{})
	if err := e.importImage(local, "pushed as lightsailctl does"); err != nil {
		t.Fatal(err)
	}
	client := s.lightsail()
	_, err := client.CreateContainerService(ctx, &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: types.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}

	metadata, err := client.GetContainerAPIMetadata(ctx, &lightsail.GetContainerAPIMetadataInput{})
	if err != nil {
		t.Fatal(err)
	}
	if !namesVersion(metadata.Metadata) {
		t.Errorf("metadata %v has no entry lightsailctlVersion, which the program looks for", metadata.Metadata)
	}

	api := e.api()
	if err := api.isForAmd64(local); err != nil {
		t.Fatal(err)
	}
	login, err := client.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		t.Fatal(err)
	}
	host := aws.ToString(login.RegistryLogin.Registry)
	if strings.ContainsAny(host, "/ ") {
		t.Fatalf("registry %q is not a bare host", host)
	}
	repo, tag := host+"/sr", fmt.Sprintf("%d-%s", time.Now().UnixNano(), randomSuffix())
	if err := api.tag(local, repo, tag); err != nil {
		t.Fatal(err)
	}
	pushed, err := api.push(repo, tag, registryAuth{
		Username: aws.ToString(login.RegistryLogin.Username), Password: aws.ToString(login.RegistryLogin.Password), ServerAddress: repo,
	})
	if err != nil {
		t.Fatal(err)
	}
	registered, err := client.RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: aws.String("web"), Label: aws.String("app"), Digest: aws.String(pushed),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(registered.ContainerImage.Image); got != ":web.app.1" {
		t.Errorf("registered as %q, want :web.app.1", got)
	}
	if err := api.remove(repo + ":" + tag); err != nil {
		t.Error(err)
	}
	images, err := client.GetContainerImages(ctx, &lightsail.GetContainerImagesInput{ServiceName: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	if len(images.ContainerImages) != 1 || aws.ToString(images.ContainerImages[0].Digest) != pushed {
		t.Errorf("images %+v, want the one with digest %s", images.ContainerImages, pushed)
	}
}

func namesVersion(metadata []map[string]string) bool {
	for _, m := range metadata {
		if m["name"] == "lightsailctlVersion" && m["value"] != "" {
			return true
		}
	}
	return false
}

// randomSuffix is 8 random bytes in lower-case base32hex without padding.
func randomSuffix() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// engineAPI is the Docker Engine API over the engine's socket.
type engineAPI struct{ http *http.Client }

func (e *engine) api() *engineAPI {
	return &engineAPI{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", e.socket())
		},
	}}}
}

// registryAuth is what X-Registry-Auth carries, as JSON in base64url.
type registryAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	ServerAddress string `json:"serveraddress"`
}

func (a *engineAPI) do(method, path string, header http.Header, want int) ([]byte, error) {
	req, err := http.NewRequest(method, "http://docker/v1.41"+path, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, b)
	}
	return b, err
}

func (a *engineAPI) isForAmd64(image string) error {
	b, err := a.do("GET", "/images/"+image+"/json", nil, http.StatusOK)
	if err != nil {
		return err
	}
	var got struct{ Os, Architecture string }
	if err := json.Unmarshal(b, &got); err != nil {
		return err
	}
	if got.Os != "linux" || got.Architecture != "amd64" {
		return fmt.Errorf("%s is for %s/%s", image, got.Os, got.Architecture)
	}
	return nil
}

func (a *engineAPI) tag(image, repo, tag string) error {
	_, err := a.do("POST", "/images/"+image+"/tag?"+url.Values{"repo": {repo}, "tag": {tag}}.Encode(), nil, http.StatusCreated)
	return err
}

// push returns the digest that the engine names in an aux message or, as old
// ones do, in a status line.
func (a *engineAPI) push(repo, tag string, auth registryAuth) (string, error) {
	b, err := json.Marshal(auth)
	if err != nil {
		return "", err
	}
	header := http.Header{"X-Registry-Auth": {base64.URLEncoding.EncodeToString(b)}}
	out, err := a.do("POST", "/images/"+repo+"/push?"+url.Values{"tag": {tag}}.Encode(), header, http.StatusOK)
	if err != nil {
		return "", err
	}
	found := ""
	for messages := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct {
			Status, Error string
			Aux           struct{ Digest string }
		}
		if err := messages.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		if m.Error != "" {
			return "", errors.New(m.Error)
		}
		if _, rest, ok := strings.Cut(m.Status, "digest: "); ok {
			found, _, _ = strings.Cut(rest, " ")
		}
		if m.Aux.Digest != "" {
			found = m.Aux.Digest
		}
	}
	if found == "" {
		return "", fmt.Errorf("no digest in the engine's answer: %s", out)
	}
	return found, nil
}

func (a *engineAPI) remove(image string) error {
	_, err := a.do("DELETE", "/images/"+image, nil, http.StatusOK)
	return err
}
