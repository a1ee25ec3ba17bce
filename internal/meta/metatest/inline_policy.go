package metatest

import "github.com/lighterage/lighterage/internal/meta"

func testInlinePolicy(f *fixture) {
	f.twoAccounts()
	owner, other := f.principal(userNamed("owner", home)), f.principal(groupNamed("other", home))
	put := func(id meta.PrincipalID, n, document string) {
		f.Helper()
		f.update(func(t meta.Tx) error { return t.PutInlinePolicy(id, meta.InlinePolicy{Name: n, Document: document}) })
	}
	list := func(id meta.PrincipalID) func(meta.Tx) ([]meta.InlinePolicy, error) {
		return func(t meta.Tx) ([]meta.InlinePolicy, error) { return t.InlinePolicies(id) }
	}
	get := func(n string) func(meta.Tx) (meta.InlinePolicy, error) {
		return func(t meta.Tx) (meta.InlinePolicy, error) { return t.InlinePolicy(owner, n) }
	}
	put(owner, "b", "of b")
	put(owner, "a", "old")
	put(owner, "B", "of B")
	put(owner, "a", `{"Statement":["ü"]}`)
	put(other, "a", "of the other")
	found(f, []meta.InlinePolicy{{Name: "B", Document: "of B"}, {Name: "a", Document: `{"Statement":["ü"]}`}, {Name: "b", Document: "of b"}}, list(owner))
	found(f, []meta.InlinePolicy{{Name: "a", Document: "of the other"}}, list(other))
	found(f, meta.InlinePolicy{Name: "B", Document: "of B"}, get("B"))
	missing(f, get("A"))
	f.update(func(t meta.Tx) error { return t.DeleteInlinePolicy(owner, "B") })
	missing(f, get("B"))
	found(f, meta.InlinePolicy{Name: "b", Document: "of b"}, get("b"))
	f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteInlinePolicy(owner, "B") })
	found(f, nil, list(1<<40))
	f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.PutInlinePolicy(1<<40, meta.InlinePolicy{Name: "a"}) })
}
