package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
)

const keepTwo = `{"rules":[{"rulePriority":7,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`

// repository makes one with images of which each is a day younger than the one
// before.
func (w *world) repository(k meta.RepositoryKey, images int) {
	w.t.Helper()
	w.must(w.faults.Update(w.ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		id, err := tx.InsertRepository(meta.Repository{Key: k, CreatedAt: now, RepositorySettings: meta.RepositorySettings{Mutability: "MUTABLE", EncryptionType: "AES256"}})
		if err != nil {
			return err
		}
		for i := range images {
			body := fmt.Appendf(nil, "%s %d", k.Name, i)
			image, err := tx.InsertImage(meta.Image{
				Repository: id, Digest: digest.Of(digest.SHA256, body), MediaType: "m", PushedAt: now.Add(time.Duration(i-images) * 24 * time.Hour),
			}, body, nil, nil)
			if err != nil {
				return err
			}
			if err := tx.PutTag(id, name.Tag(fmt.Sprint("v", i)), image, "me"); err != nil {
				return err
			}
		}
		return nil
	}))
}

func keyOf(account name.AccountID, region name.Region, repository string) meta.RepositoryKey {
	return meta.RepositoryKey{Registry: name.RegistryID{Account: account, Region: region}, Space: meta.ECR, Name: name.RepositoryName(repository)}
}

type ran struct {
	Account    string  `json:"accountId"`
	Region     string  `json:"region"`
	Repository string  `json:"repositoryName"`
	DryRun     bool    `json:"dryRun"`
	Complete   bool    `json:"complete"`
	At         float64 `json:"evaluatedAt"`
	Images     int     `json:"imageCount"`
	Selected   int     `json:"selectedCount"`
	Expired    int     `json:"expiredCount"`
	Archived   int     `json:"archivedCount"`
	Results    []struct {
		Digest   string   `json:"imageDigest"`
		Tags     []string `json:"imageTags"`
		Pushed   float64  `json:"imagePushedAt"`
		Priority int      `json:"rulePriority"`
		Action   string   `json:"action"`
		Outcome  string   `json:"outcome"`
	} `json:"results"`
}

func (r ran) lines() (all []string) {
	for _, result := range r.Results {
		all = append(all, fmt.Sprintf("%s %d %s %s", strings.Join(result.Tags, " "), result.Priority, result.Action, result.Outcome))
	}
	return all
}

func TestALifecyclePolicyIsTriedAndRun(t *testing.T) {
	w := open(t)
	k := keyOf(home, region, "team/app")
	w.repository(k, 4)
	in := map[string]any{"repositoryName": "team/app"}
	refused(t, w.root.Call(w.ctx, "RunLifecyclePolicy", in, nil), "ResourceNotFoundException", "The repository team/app of the account 123456789012 has no lifecycle policy.")
	check := func(out ran, dry bool, images, expired int, lines ...string) {
		t.Helper()
		if out.Account != string(home) || out.Region != region || out.Repository != "team/app" || out.DryRun != dry || !out.Complete || out.At == 0 ||
			out.Images != images || out.Selected != len(lines) || out.Expired+out.Archived != expired {
			t.Errorf("ran %+v", out)
		}
		if diff := cmp.Diff(lines, out.lines()); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	}
	var out ran
	w.must(w.root.Call(w.ctx, "RunLifecyclePolicy", map[string]any{"repositoryName": "team/app", "dryRun": true, "lifecyclePolicyText": keepTwo}, &out))
	check(out, true, 4, 0, "v0 7 expire selected", "v1 7 expire selected")
	w.must(w.lifecycle.Put(w.ctx, k, keepTwo))
	for range 2 {
		out = ran{}
		w.must(w.root.Call(w.ctx, "RunLifecyclePolicy", map[string]any{"repositoryName": "team/app", "dryRun": true}, &out))
		check(out, true, 4, 0, "v0 7 expire selected", "v1 7 expire selected")
	}
	out = ran{}
	w.must(w.root.Call(w.ctx, "RunLifecyclePolicy", in, &out))
	check(out, false, 4, 2, "v0 7 expire expired", "v1 7 expire expired")
	out = ran{}
	w.must(w.root.Call(w.ctx, "RunLifecyclePolicy", map[string]any{"repositoryName": "team/app", "accountId": home, "region": region}, &out))
	check(out, false, 2, 0)
	w.must(w.lifecycle.Put(w.ctx, k, strings.Replace(strings.Replace(keepTwo, `"countNumber":2`, `"countNumber":1`, 1), `"expire"`, `"transition","targetStorageClass":"archive"`, 1)))
	out = ran{}
	w.must(w.root.Call(w.ctx, "RunLifecyclePolicy", in, &out))
	if check(out, false, 2, 1, "v2 7 transition archived"); out.Archived != 1 {
		t.Errorf("archived are %d", out.Archived)
	}
}

func TestRunsThatAreRefused(t *testing.T) {
	w := open(t)
	w.repository(keyOf(home, region, "team/app"), 1)
	for _, tt := range []struct {
		name       string
		in         map[string]any
		code, text string
	}{
		{"an unknown repository", map[string]any{"repositoryName": "team/other"}, "ResourceNotFoundException", "The account 123456789012 has no repository team/other in the region."},
		{"one of another region", map[string]any{"repositoryName": "team/app", "region": "us-east-1"}, "ResourceNotFoundException", "has no repository team/app"},
		{"one of another account", map[string]any{"repositoryName": "team/app", "accountId": "210987654321"}, "ResourceNotFoundException", "The account 210987654321 has no repository"},
		{"a name that is none", map[string]any{"repositoryName": "Team/App"}, "ResourceNotFoundException", "has no repository Team/App"},
		{"a policy to run that is not set", map[string]any{"repositoryName": "team/app", "lifecyclePolicyText": keepTwo}, "ValidationException", "A lifecyclePolicyText is for a dryRun"},
		{"a policy that is none", map[string]any{"repositoryName": "team/app", "dryRun": true, "lifecyclePolicyText": `{"x":"` + strings.Repeat("x", 100) + `"}`}, "ValidationException",
			`Lifecycle policy validation failure: object instance has properties which are not allowed by the schema: ["x"]; object has missing required properties (["rules"]).`},
		{"a short policy", map[string]any{"repositoryName": "team/app", "dryRun": true, "lifecyclePolicyText": "{}"}, "ValidationException", "Member must have length greater than or equal to 100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, w.root.Call(w.ctx, "RunLifecyclePolicy", tt.in, nil), tt.code, tt.text)
		})
	}
	w.must(w.lifecycle.Put(w.ctx, keyOf(home, region, "team/app"), keepTwo))
	w.faults.FailUpdate(1, metatest.NotApplied)
	refused(t, w.root.Call(w.ctx, "RunLifecyclePolicy", map[string]any{"repositoryName": "team/app"}, nil), "ServerException", "The server cannot store anything at the moment.")
}

func TestLifecyclePoliciesOfAllAccountsAreListedInPages(t *testing.T) {
	w := open(t)
	w.must(w.root.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "n", "accountId": "210987654321"}, &created{}))
	var want, theirs []string
	for i, account := range []name.AccountID{home, "210987654321", home, home, "210987654321"} {
		k := keyOf(account, "eu-west-2", fmt.Sprint("app-", i))
		w.repository(k, 0)
		w.must(w.lifecycle.Put(w.ctx, k, keepTwo))
		line := fmt.Sprintf("%s eu-west-2 app-%d", account, i)
		if want = append(want, line); account != home {
			theirs = append(theirs, line)
		}
	}
	w.repository(keyOf(home, region, "none"), 0)
	list := func(in map[string]any) (all []string) {
		t.Helper()
		for {
			var out struct {
				Policies []struct {
					Account    string  `json:"accountId"`
					Region     string  `json:"region"`
					Repository string  `json:"repositoryName"`
					Set        float64 `json:"setAt"`
					Last       float64 `json:"lastEvaluatedAt"`
					Next       float64 `json:"nextEvaluationAt"`
				} `json:"lifecyclePolicies"`
				Next string `json:"nextToken"`
			}
			w.must(w.root.Call(w.ctx, "ListLifecyclePolicies", in, &out))
			for _, p := range out.Policies {
				if p.Last != 0 || p.Next-p.Set != 24*60*60 {
					t.Errorf("times %+v", p)
				}
				all = append(all, p.Account+" "+p.Region+" "+p.Repository)
			}
			if out.Next == "" {
				return all
			}
			in["nextToken"] = out.Next
		}
	}
	for _, size := range []int{1, 2, 100} {
		if diff := cmp.Diff(want, list(map[string]any{"maxResults": size})); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
		if diff := cmp.Diff(theirs, list(map[string]any{"maxResults": size, "accountId": "210987654321"})); diff != "" {
			t.Errorf("another account's in pages of %d: %s", size, diff)
		}
	}
	refused(t, w.root.Call(w.ctx, "ListLifecyclePolicies", map[string]any{"nextToken": "-1"}, nil), "ValidationException", "nextToken")
}
