package name_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

var registry = name.RegistryID{Account: "012345678901", Region: "eu-west-1"}

func TestARNs(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"of a repository", name.RepositoryARN(registry, "team/app"), "arn:aws:ecr:eu-west-1:012345678901:repository/team/app"},
		{"of a container service", name.ServiceARN(registry, "0f8fad5b-d9cb-469f-a165-70867728950e"),
			"arn:aws:lightsail:eu-west-1:012345678901:ContainerService/0f8fad5b-d9cb-469f-a165-70867728950e"},
		{"of an account's root", name.RootARN("012345678901"), "arn:aws:iam::012345678901:root"},
		{"of a role session", name.SessionARN("012345678901", "build", "job-7"), "arn:aws:sts::012345678901:assumed-role/build/job-7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		})
	}
}

func TestParseRepositoryARN(t *testing.T) {
	for _, c := range []struct {
		name, in   string
		repository name.RepositoryName // empty: refused
	}{
		{"of a repository", "arn:aws:ecr:eu-west-1:012345678901:repository/app", "app"},
		{"of a repository with slashes", "arn:aws:ecr:eu-west-1:012345678901:repository/a/b/c", "a/b/c"},
		{"of another partition", "arn:aws-cn:ecr:eu-west-1:012345678901:repository/app", "app"},
		{"of no partition", "arn::ecr:eu-west-1:012345678901:repository/app", ""},
		{"of another service", "arn:aws:s3:eu-west-1:012345678901:repository/app", ""},
		{"of no region", "arn:aws:ecr::012345678901:repository/app", ""},
		{"of no account", "arn:aws:ecr:eu-west-1::repository/app", ""},
		{"of a short account", "arn:aws:ecr:eu-west-1:1234:repository/app", ""},
		{"of another kind", "arn:aws:ecr:eu-west-1:012345678901:registry/app", ""},
		{"of no name", "arn:aws:ecr:eu-west-1:012345678901:repository/", ""},
		{"of a bad name", "arn:aws:ecr:eu-west-1:012345678901:repository/../x", ""},
		{"of a name with a colon", "arn:aws:ecr:eu-west-1:012345678901:repository/app:latest", ""},
		{"of all repositories", "arn:aws:ecr:eu-west-1:012345678901:repository/*", ""},
		{"a name alone", "app", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, repository, err := name.ParseRepositoryARN(c.in)
			if c.repository == "" {
				e := fault.Of(err)
				if !fault.Is(err, fault.ParameterInvalid) || e.Member != "resourceArn" || e.Value != c.in || e.Constraint != "Invalid ARN" {
					t.Errorf("%v, want ParameterInvalid about it", err)
				}
				return
			}
			if err != nil || id != registry || repository != c.repository {
				t.Errorf("%v %q, %v", id, repository, err)
			}
		})
	}
}

func FuzzParseRepositoryARN(f *testing.F) {
	for _, s := range []string{"arn:aws:ecr:eu-west-1:012345678901:repository/app", "arn:aws:ecr:::repository/", ":::::", "arn"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, repository, err := name.ParseRepositoryARN(s)
		if err != nil {
			if !fault.Is(err, fault.ParameterInvalid) {
				t.Fatalf("%q failed with %v", s, err)
			}
			return
		}
		again, sameRepository, err := name.ParseRepositoryARN(name.RepositoryARN(id, repository))
		if err != nil || again != id || sameRepository != repository {
			t.Fatalf("%q is %v %q, which came back as %v %q, %v", s, id, repository, again, sameRepository, err)
		}
	})
}
