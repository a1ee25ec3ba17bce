package oci_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const (
	someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	someUpload = "00000000-0000-4000-8000-000000000000"
)

// target is a path of the route in a repository.
func target(r oci.Route, repository string) string {
	return "/v2" + strings.NewReplacer("<name>", repository, "<reference>", "latest", "<digest>", someDigest, "<id>", someUpload).Replace(r.Pattern)
}

// everyRoute runs fn for each line of the table.
func everyRoute(t *testing.T, fn func(t *testing.T, r oci.Route)) {
	for _, r := range oci.Routes() {
		t.Run(r.Method+" "+r.Pattern, func(t *testing.T) { fn(t, r) })
	}
}

func TestBadCredentialsAreChallenged(t *testing.T) {
	w, elsewhere := open(t), open(t)
	w.create("team/app")
	_, password, _ := strings.Cut(decode(t, w.token), ":")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	parts := strings.Split(password, ".")
	credentials := map[string]option{
		"none at all":                      anonymous,
		"an empty header":                  as(""),
		"a scheme alone":                   as("Basic"),
		"no base64":                        as("Basic %%%"),
		"no colon":                         as("Basic " + base64.StdEncoding.EncodeToString([]byte(password))),
		"an empty password":                as(basic("AWS", "")),
		"any password":                     as(basic("AWS", "letmein")),
		"a bearer token":                   as("Bearer " + password),
		"another user":                     as(basic("aws", password)),
		"no user":                          as(basic("", password)),
		"a truncated token":                as(basic("AWS", password[:len(password)-5])),
		"a token with more behind it":      as(basic("AWS", password+"x")),
		"a token without its signature":    as(basic("AWS", none+"."+parts[1]+".")),
		"a claim changed":                  as(basic("AWS", parts[0]+"."+flip(parts[1])+"."+parts[2])),
		"a token of another server":        as(elsewhere.token),
		"a very long one":                  as(basic("AWS", strings.Repeat("a", 60_000))),
		"the access key instead of tokens": as(basic("AKIAOURS", "our secret")),
	}
	for what, credential := range credentials {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			everyRoute(t, func(t *testing.T, r oci.Route) {
				w := w.with(t)
				for _, repository := range []string{"team/app", "no/such", "NOT A NAME"} {
					a := w.do(r.Method, strings.ReplaceAll(target(r, repository), " ", "%20"), credential).is(401).has(
						"Www-Authenticate", `Basic realm="http://`+plain+`/",service="ecr.amazonaws.com"`,
						"Content-Type", "text/plain; charset=utf-8",
					)
					if r.Method != "HEAD" {
						a.holds([]byte("Not Authorized\n"))
					}
				}
			})
			w.do("GET", "/v2/no/such/path", credential).is(401)
			w.do("BREW", "/v2/", credential).is(401)
		})
	}
	if asked := w.decider.questions(); len(asked) > 0 {
		t.Errorf("access was asked for strangers: %q", asked)
	}
}

func decode(t *testing.T, authorization string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(authorization, "Basic "))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// flip changes a character in the middle.
func flip(s string) string {
	i := len(s) / 2
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestTheChallengeNamesTheAddressThatTheClientUsed(t *testing.T) {
	w := open(t)
	const own = "123456789012.dkr.ecr.us-east-1.example.com"
	w.do("GET", "/v2/", anonymous, host(own)).is(401).has("Www-Authenticate", `Basic realm="http://`+own+`/",service="ecr.amazonaws.com"`)
}

func TestAnExpiredTokenIsDenied(t *testing.T) {
	w := open(t)
	w.do("GET", "/v2/").is(200).holds([]byte("{}"))
	w.clock.Advance(12*time.Hour - time.Minute)
	w.do("GET", "/v2/").is(200)
	w.clock.Advance(time.Minute)
	everyRoute(t, func(t *testing.T, r oci.Route) {
		w := w.with(t)
		w.do(r.Method, target(r, "team/app")).refuses(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.").has("Www-Authenticate", "")
	})
}

func TestEveryRouteAsksForItsAction(t *testing.T) {
	w := open(t)
	w.create("team/app")
	everyRoute(t, func(t *testing.T, r oci.Route) {
		w := w.with(t)
		if r.Action == "" {
			if r.Pattern != "/" {
				t.Error("a route without an action is open to everyone who is anyone")
			}
			return
		}
		repository := "team/app"
		if !r.Named {
			repository = "*"
		}
		w.decider.questions()
		w.decider.forbid(r.Action + " " + repository)
		defer w.decider.forbid()
		w.do(r.Method, target(r, "team/app")).refuses(403, "DENIED",
			"User: arn:aws:iam::123456789012:root is not authorized to perform: "+r.Action+" on resource: arn:aws:ecr:us-east-1:123456789012:repository/"+repository+" because no identity-based policy allows the "+r.Action+" action")
		want := []string{r.Action + " " + repository}
		if r.Filtered { // about each repository, and without any about all
			want = append(want, r.Action+" team/app")
		}
		if diff := cmp.Diff(want, w.decider.questions()); diff != "" {
			t.Errorf("questions: %s", diff)
		}
	})
}

// TestRequestsAskForAllTheyDo: some requests do the work of several actions.
func TestRequestsAskForAllTheyDo(t *testing.T) {
	layer := []byte("a layer of eighteen bytes and more")
	single := "?digest=" + string(sha(layer))
	w := open(t)
	for _, test := range []struct {
		name    string
		forbid  string
		request func(w *world) reply
		status  int
	}{
		{"a whole layer in a POST needs the right to upload", "ecr:UploadLayerPart app", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/"+single, body(layer))
		}, 403},
		{"a whole layer in a POST needs the right to complete", "ecr:CompleteLayerUpload app", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/"+single, body(layer))
		}, 403},
		{"a POST that only announces its digest begins an upload", "ecr:CompleteLayerUpload app", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/"+single)
		}, 202},
		{"a PUT with bytes needs the right to upload", "ecr:UploadLayerPart app", func(w *world) reply {
			return w.do("PUT", w.begin("app")+single, body(layer))
		}, 403},
		{"a PUT without bytes does not", "ecr:UploadLayerPart app", func(w *world) reply {
			at := w.begin("app")
			w.decider.forbid()
			w.do("PATCH", at, body(layer)).is(202)
			w.decider.forbid("ecr:UploadLayerPart app")
			return w.do("PUT", at+single)
		}, 201},
		{"a mount needs the right to complete here", "ecr:CompleteLayerUpload app", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/?from=source&mount="+string(sha([]byte("there"))))
		}, 202},
		{"a mount needs the right to see the layer there", "ecr:BatchCheckLayerAvailability source", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/?from=source&mount="+string(sha([]byte("there"))))
		}, 202},
		{"a mount needs the right to pull the layer there", "ecr:GetDownloadUrlForLayer source", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/?from=source&mount="+string(sha([]byte("there"))))
		}, 202},
		{"a mount without a source needs the right to pull it from somewhere", "ecr:GetDownloadUrlForLayer source", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/?mount="+string(sha([]byte("there"))))
		}, 202},
		{"a mount with all of these rights mounts", "ecr:DeleteRepository app", func(w *world) reply {
			return w.do("POST", "/v2/app/blobs/uploads/?from=source&mount="+string(sha([]byte("there"))))
		}, 201},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			w.drop("app", "source")
			w.create("app", "source")
			w.blob("source", []byte("there"))
			w.decider.forbid(test.forbid)
			a := test.request(w)
			if test.status == 403 {
				a.refuses(403, "DENIED", strings.Fields(test.forbid)[0])
			}
			a.is(test.status)
			w.decider.forbid()
			stored := w.do("HEAD", "/v2/app/blobs/"+string(sha(layer))).status == 200 || w.do("HEAD", "/v2/app/blobs/"+string(sha([]byte("there")))).status == 200
			if stored != (test.status == 201) {
				t.Errorf("stored: %t", stored)
			}
		})
	}
}

func TestTheHostNameSelectsTheRegistry(t *testing.T) {
	w := open(t)
	w.create("team/app")
	_, d := w.image("team/app", "v1", "one")
	for _, test := range []struct {
		name, host, token string
		status            int
		code              string
	}{
		{"a plain host means the caller's own", plain, w.token, 200, ""},
		{"the account's own name", "123456789012.dkr.ecr.us-east-1.amazonaws.com", w.token, 200, ""},
		{"the account's own name on any domain and port", "123456789012.dkr.ecr.us-east-1.example.com:5000", w.token, 200, ""},
		{"in any letter case", "123456789012.DKR.ECR.us-east-1.Example.COM", w.token, 200, ""},
		{"another account's name is denied", "999999999999.dkr.ecr.us-east-1.amazonaws.com", w.token, 403, "DENIED"},
		{"a stranger at the account's name is denied", "123456789012.dkr.ecr.us-east-1.amazonaws.com", w.foreign, 403, "DENIED"},
		{"a stranger at a plain host finds its own registry", plain, w.foreign, 404, "NAME_UNKNOWN"},
		{"another region's name does not take the token", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", w.token, 401, ""},
		{"nor does a region that is none", "123456789012.dkr.ecr.mars-1.amazonaws.com", w.token, 401, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			a := w.do("GET", "/v2/team/app/manifests/"+string(d), as(test.token), host(test.host)).is(test.status)
			if test.code != "" {
				a.refuses(test.status, test.code)
			}
		})
	}
	t.Run("every route denies another account's name", func(t *testing.T) {
		w := w.with(t)
		everyRoute(t, func(t *testing.T, r oci.Route) {
			w := w.with(t)
			if r.Action == "" {
				return // a login is good for every registry of the region (ECR API reference, GetAuthorizationToken)
			}
			w.do(r.Method, target(r, "team/app"), host("999999999999.dkr.ecr.us-east-1.amazonaws.com")).refuses(403, "DENIED", "because no resource-based policy allows the "+r.Action+" action")
		})
	})
	t.Run("a Lightsail login is no better", func(t *testing.T) {
		w := w.with(t)
		w.do("HEAD", "/v2/sr/blobs/"+someDigest, as(w.lightsail), host("999999999999.dkr.ecr.us-east-1.amazonaws.com")).is(403)
	})
}

func TestRegionsAreRegistriesOfTheirOwn(t *testing.T) {
	w := open(t)
	w.create("team/app")
	w.image("team/app", "v1", "one")
	elsewhere := w.login("AKIAOURS", account, identity.FullScope, "eu-west-1")
	w.do("GET", "/v2/team/app/manifests/v1", as(elsewhere)).refuses(404, "NAME_UNKNOWN", "team/app")
	w.do("GET", "/v2/_catalog", as(elsewhere)).is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	w.do("POST", "/v2/team/app/blobs/uploads/?from=team/app&mount="+string(sha(layerOf("one"))), as(elsewhere)).is(202)
}

func TestALightsailLoginOnlyPushes(t *testing.T) {
	w := open(t)
	w.createLightsail()
	w.create("sr", "team/app")
	everyRoute(t, func(t *testing.T, r oci.Route) {
		w := w.with(t)
		pushes := map[string]bool{
			"GET /": true, "HEAD /": true,
			"HEAD /<name>/manifests/<reference>": true, "PUT /<name>/manifests/<reference>": true,
			"HEAD /<name>/blobs/<digest>": true, "POST /<name>/blobs/uploads/": true,
			"PATCH /<name>/blobs/uploads/<id>": true, "PUT /<name>/blobs/uploads/<id>": true,
		}[r.Method+" "+r.Pattern]
		a := w.do(r.Method, target(r, "sr"), as(w.lightsail))
		if pushes {
			if a.status == 403 || a.status == 401 {
				t.Errorf("sr: %d, but docker push needs it", a.status)
			}
		} else {
			a.refuses(403, "DENIED", "arn:aws:iam::123456789012:root", r.Action)
		}
		if r.Named {
			w.do(r.Method, target(r, "team/app"), as(w.lightsail)).refuses(403, "DENIED")
			w.do(r.Method, target(r, "sr/app"), as(w.lightsail)).refuses(403, "DENIED")
		}
	})
	t.Run("a POST without the repository is 404 and creates nothing", func(t *testing.T) {
		w := open(t)
		w.do("POST", "/v2/sr/blobs/uploads/", as(w.lightsail)).refuses(404, "NAME_UNKNOWN")
		w.do("PUT", "/v2/sr/manifests/x", as(w.lightsail), body(indexOf(nil))).refuses(404, "NAME_UNKNOWN")
		if a := w.do("POST", "/v2/sr/blobs/uploads/", as(w.lightsail)); strings.Contains(string(a.body), "aws ecr") {
			t.Errorf("a Lightsail login is sent to ECR: %s", a.body)
		}
		k := key(registry.LightsailRepository)
		k.Space = registry.Lightsail
		if _, err := w.catalogue.Repository(t.Context(), k); err == nil {
			t.Error("the repository was created")
		}
	})
	t.Run("its right is asked again each time", func(t *testing.T) {
		w := w.with(t)
		w.decider.questions()
		w.decider.forbid("lightsail:CreateContainerServiceRegistryLogin ")
		defer w.decider.forbid()
		w.do("POST", "/v2/sr/blobs/uploads/", as(w.lightsail)).refuses(403, "DENIED", "lightsail:CreateContainerServiceRegistryLogin")
		if diff := cmp.Diff([]string{"lightsail:CreateContainerServiceRegistryLogin"}, w.decider.questions()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestDockerPushesWithALightsailLogin sends what a capture of dockerd
// 20.10 shows.
func TestDockerPushesWithALightsailLogin(t *testing.T) {
	w := open(t)
	w.createLightsail()
	w.create("team/app")
	w.blob("team/app", layerOf("one"))
	ls := as(w.lightsail)
	w.do("GET", "/v2/", ls).is(200)
	for _, content := range [][]byte{configOf("one"), layerOf("one")} {
		d := string(sha(content))
		w.do("HEAD", "/v2/sr/blobs/"+d, ls).is(404)
		w.do("POST", "/v2/sr/blobs/uploads/?from=team/app&mount="+d, ls).is(202)
		w.do("POST", "/v2/sr/blobs/uploads/?mount="+d, ls).is(202)
		at := w.begin("sr", ls)
		at = w.do("PATCH", at, ls, stream(content)).is(202).path()
		w.do("PUT", at+"?digest="+d, ls).is(201)
		w.do("HEAD", "/v2/sr/blobs/"+d, ls).is(200).has("Docker-Content-Digest", d)
	}
	const tag = "1700000000000000000-0123456789abc"
	m := manifestOf("one", nil)
	w.do("HEAD", "/v2/sr/manifests/"+tag, ls).is(404)
	w.do("PUT", "/v2/sr/manifests/"+tag, ls, body(m), header("Content-Type", ociManifest)).is(201).has("Docker-Content-Digest", string(sha(m)))
	w.do("HEAD", "/v2/sr/manifests/"+tag, ls).is(200).has("Docker-Content-Digest", string(sha(m)))
	w.do("GET", "/v2/sr/manifests/"+tag, ls).refuses(403, "DENIED")
	w.do("GET", "/v2/sr/blobs/"+string(sha(layerOf("one"))), ls).refuses(403, "DENIED")
	w.do("DELETE", "/v2/sr/manifests/"+tag, ls).refuses(403, "DENIED")

	t.Run("an ECR repository named sr is another thing", func(t *testing.T) {
		w := w.with(t)
		w.do("GET", "/v2/sr/manifests/"+tag).refuses(404, "NAME_UNKNOWN")
		w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":["team/app"]}` + "\n"))
		w.create("sr")
		w.do("GET", "/v2/sr/manifests/"+tag).refuses(404, "MANIFEST_UNKNOWN")
		w.do("GET", "/v2/sr/blobs/"+string(sha(layerOf("one")))).refuses(404, "BLOB_UNKNOWN")
		w.do("POST", "/v2/team/app/blobs/uploads/?from=sr&mount="+string(sha(configOf("one")))).is(202)
		w.do("POST", "/v2/team/app/blobs/uploads/?mount="+string(sha(configOf("one")))).is(202)
		_, d := w.image("sr", "ours", "two")
		w.do("HEAD", "/v2/sr/manifests/"+string(d), ls).is(404)
		w.do("HEAD", "/v2/sr/manifests/ours", ls).is(404)
	})
}

func TestDownloadURLs(t *testing.T) {
	w := open(t)
	w.create("team/app", "other")
	layer := []byte("what the link is for")
	d, other := w.blob("team/app", layer), w.blob("team/app", []byte("another layer"))
	w.blob("other", layer)
	link := func(repository name.RepositoryName, of digest.Digest) string {
		token := w.authority.IssueDownload(identity.Download{Registry: key("").Registry, Space: byte(registry.ECR), Repository: repository, Digest: of})
		return strings.TrimPrefix(oci.DownloadURL("http://"+plain, repository, of, token), "http://"+plain)
	}
	good := link("team/app", d)
	t.Run("work without credentials", func(t *testing.T) {
		w := w.with(t)
		w.do("GET", good, anonymous).is(200).holds(layer)
		w.do("HEAD", good, anonymous).is(200).has("Content-Length", "20")
		w.do("GET", good, anonymous, header("Range", "bytes=0-3")).is(206).holds([]byte("what"))
	})
	t.Run("ignore other credentials", func(t *testing.T) { w.do("GET", good, as("Basic xx")).is(200).holds(layer) })
	_, token, _ := strings.Cut(good, "?")
	for _, bad := range []struct{ name, method, target string }{
		{"another layer", "GET", "/v2/team/app/blobs/" + string(other) + "?" + token},
		{"another repository", "GET", "/v2/other/blobs/" + string(d) + "?" + token},
		{"a changed token", "GET", good[:len(good)-4] + flip(good[len(good)-4:])},
		{"a manifest", "GET", "/v2/team/app/manifests/" + string(d) + "?" + token},
		{"a deletion", "DELETE", good},
		{"an upload", "POST", "/v2/team/app/blobs/uploads/?" + token},
		{"a registry token", "GET", "/v2/team/app/blobs/" + string(d) + "?X-Lighterage-Token=" + strings.TrimPrefix(decode(t, w.token), "AWS:")},
	} {
		t.Run("are not good for "+bad.name, func(t *testing.T) { w.do(bad.method, bad.target, anonymous).is(401) })
	}
	t.Run("expire", func(t *testing.T) {
		w := w.with(t)
		w.clock.Advance(time.Hour)
		w.do("GET", good, anonymous).refuses(403, "DENIED", "expired")
	})
	t.Run("say that the layer is gone", func(t *testing.T) {
		w := w.with(t)
		fresh := link("team/app", d)
		w.do("DELETE", "/v2/team/app/blobs/"+string(d)).is(202)
		w.do("GET", fresh, anonymous).refuses(404, "BLOB_UNKNOWN")
	})
}
