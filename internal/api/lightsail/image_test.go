package lightsail_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/google/go-cmp/cmp"
)

func TestRegisterContainerImage(t *testing.T) {
	w := open(t)
	w.create("web")
	a, b := w.push("a"), w.push("b")
	w.clock.mu.Lock()
	w.clock.now = w.clock.now.Add(90 * time.Second)
	w.clock.mu.Unlock()
	i := w.register("web", "app", a)
	if *i.Image != ":web.app.1" || *i.Digest != a || !i.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("registered %s, %s, %v", *i.Image, *i.Digest, i.CreatedAt)
	}
	if got := *w.register("web", "app", b).Image; got != ":web.app.2" {
		t.Errorf("registered %s", got)
	}
	if got := *w.register("web", "db-1", a).Image; got != ":web.db-1.1" {
		t.Errorf("registered %s", got)
	}
	for _, c := range []struct{ name, service, label, digest, code, text string }{
		{"an unknown service", "none", "app", a, "NotFoundException", "none does not exist"},
		{"a digest that nobody pushed", "web", "app", "sha256:" + strings.Repeat("0", 64), "NotFoundException", "sha256:000"},
		{"a digest that is none", "web", "app", "sha256:xyz", "InvalidInputException", "sha256:xyz is not a digest"},
		{"a digest in capitals", "web", "app", strings.ToUpper(a), "InvalidInputException", "is not a digest"},
		{"a label with a dot", "web", "a.b", a, "InvalidInputException", "Value 'a.b' at 'label' failed to satisfy constraint: Member must satisfy regular expression pattern: "},
		{"one image more than the quota", "web", "app", a, "InvalidInputException", "The quota of 3 registered images per container service has been reached."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.RegisterContainerImage(w.ctx, &sdk.RegisterContainerImageInput{ServiceName: &c.service, Label: &c.label, Digest: &c.digest})
			w.want(err, c.code, 400, c.text)
		})
	}
	if diff := cmp.Diff([]string{":web.db-1.1", ":web.app.2", ":web.app.1"}, w.images("web")); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestGetContainerImages(t *testing.T) {
	w := open(t)
	w.create("web")
	if got := w.images("web"); len(got) != 0 {
		t.Errorf("images %v", got)
	}
	d := w.push("a")
	w.register("web", "app", d)
	out, err := w.GetContainerImages(w.ctx, &sdk.GetContainerImagesInput{ServiceName: aws.String("web")})
	w.must(err)
	if i := out.ContainerImages[0]; *i.Image != ":web.app.1" || *i.Digest != d || !i.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("image %s, %s, %v", *i.Image, *i.Digest, i.CreatedAt)
	}
	_, err = w.GetContainerImages(w.ctx, &sdk.GetContainerImagesInput{ServiceName: aws.String("none")})
	w.want(err, "NotFoundException", 400, "none does not exist")
}

func TestDeleteContainerImage(t *testing.T) {
	w := open(t)
	w.create("web")
	w.create("api")
	d := w.push("a")
	w.register("web", "app", d)
	w.register("web", "app", d)
	w.register("api", "app", d)
	for _, c := range []struct{ name, service, image, code, text string }{
		{"an unknown service", "none", ":none.app.1", "NotFoundException", "none does not exist"},
		{"another service's image", "web", ":api.app.1", "NotFoundException", "web has no image :api.app.1"},
		{"an unknown version", "web", ":web.app.9", "NotFoundException", "web has no image :web.app.9"},
		{"a public image", "web", "nginx:latest", "InvalidInputException", "Value 'nginx:latest' at 'image'"},
		{"nothing", "web", "", "InvalidInputException", "at 'image'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.DeleteContainerImage(w.ctx, &sdk.DeleteContainerImageInput{ServiceName: &c.service, Image: &c.image})
			w.want(err, c.code, 400, c.text)
		})
	}
	_, err := w.DeleteContainerImage(w.ctx, &sdk.DeleteContainerImageInput{ServiceName: aws.String("web"), Image: aws.String(":web.app.2")})
	w.must(err)
	if diff := cmp.Diff([]string{":web.app.1"}, w.images("web")); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if got := *w.register("web", "app", d).Image; got != ":web.app.3" {
		t.Errorf("the next image is %s", got)
	}
}
