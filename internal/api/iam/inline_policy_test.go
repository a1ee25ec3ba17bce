package iam_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestInlinePoliciesArePutReadListedAndDeleted(t *testing.T) {
	eachHolder(t, func(t *testing.T, w *world, h holder) {
		for _, policy := range []string{"b", "a", "B"} { // their names differ in case
			w.must(h.put(w, "bob", policy, pull))
		}
		w.must(h.put(w, "bob", "a", push))
		who, policy, document, err := h.get(w, "bob", "a")
		w.must(err)
		if text, _ := url.QueryUnescape(*document); text != push || *who != "Bob" || *policy != "a" || strings.ContainsAny(*document, "+ \"{*:") {
			t.Errorf("%s of %s is %s", *policy, *who, *document)
		}
		var got []string
		for marker := (*string)(nil); ; {
			page, next, err := h.list(w, "bob", marker, aws.Int32(1))
			w.must(err)
			got = append(got, page...)
			if marker = next; next == nil {
				break
			}
		}
		if !slices.Equal(got, []string{"B", "a", "b"}) {
			t.Errorf("listed are %v", got)
		}
		w.must(h.remove(w, "bob", "B"))
		missing := fmt.Sprintf("The %s policy with name B cannot be found.", h.kind)
		wantRefusal(t, h.remove(w, "bob", "B"), "NoSuchEntity", missing)
		_, _, _, err = h.get(w, "bob", "B")
		wantRefusal(t, err, "NoSuchEntity", missing)
		w.must(h.remove(w, "bob", "b"))
	})
}

func TestWhatIsRefusedOfInlinePolicies(t *testing.T) {
	eachHolder(t, func(t *testing.T, w *world, h holder) {
		wantRefusal(t, h.put(w, "bob", "p", "x"), "MalformedPolicyDocument", "Syntax errors in policy.")
		wantRefusal(t, h.put(w, "bob", "p", strings.Replace(pull, `"Effect"`, `"Principal": "*", "Effect"`, 1)),
			"MalformedPolicyDocument", "Policy document should not specify a principal.")
		w.must(h.put(w, "bob", "old", strings.Replace(pull, "2012-10-17", "2008-10-17", 1)))
		w.must(h.remove(w, "bob", "old"))

		missing := "The " + h.kind + " with name eve cannot be found."
		wantRefusal(t, h.put(w, "eve", "p", pull), "NoSuchEntity", missing)
		wantRefusal(t, h.remove(w, "eve", "p"), "NoSuchEntity", missing)
		_, _, _, err := h.get(w, "eve", "p")
		wantRefusal(t, err, "NoSuchEntity", missing)
		_, _, err = h.list(w, "eve", nil, nil)
		wantRefusal(t, err, "NoSuchEntity", missing)
	})
}

// TestInlinePoliciesShareOneQuota: all of a principal's count together, without
// white space.
func TestInlinePoliciesShareOneQuota(t *testing.T) {
	eachHolder(t, func(t *testing.T, w *world, h holder) {
		// sized is a document of so many characters that count.
		sized := func(n int64) string {
			const base = `{"Statement":{"Effect":"Allow","Action":"ecr:","Resource":"*"}}`
			return strings.Replace(base, "ecr:", "ecr:"+strings.Repeat("A", int(n)-len(base)), 1)
		}
		tooMuch := fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s Bob", h.limit, h.kind)
		wantRefusal(t, h.put(w, "bob", "p", sized(h.limit+1)), "LimitExceeded", tooMuch)
		w.must(h.put(w, "bob", "p", strings.ReplaceAll(sized(h.limit-100), ":{", ": \t\r\n {")))
		w.must(h.put(w, "bob", "q", sized(100)))
		wantRefusal(t, h.put(w, "bob", "r", sized(100)), "LimitExceeded", tooMuch)
		wantRefusal(t, h.put(w, "bob", "q", sized(101)), "LimitExceeded", tooMuch)
		w.must(h.put(w, "bob", "q", sized(99))) // it takes its own place
	})
}
