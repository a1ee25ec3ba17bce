package sqlstore_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

// node is a step of PostgreSQL's plan.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []node
}

// walks are tables that may be read from their beginning, and why.
var walks = map[string]string{
	"store": "one row", "access_version": "one row", "schema": "one row",
	"registry": "at the start: one row for each account and region", "usage_delta": "the oldest few",
}

// sorts are statements whose rows are sorted, and why they are few.
var sorts = map[string]string{
	`user_id IS NULL ORDER BY k.id`: "the account's own keys, which quotas bound",
}

// faults are what of a plan grows with its tables: tables and indexes that are
// read from their beginning, and rows that are sorted but for those that an index
// has sorted in part. It names them where an index could not be used, for the
// planner was told that anything else is better.
func (n node) faults() (found []string) {
	switch {
	case n.Type == "Sort" && !n.Plans[0].page():
		found = append(found, n.Type)
	case n.Relation != "" && n.Cond == "" && walks[n.Relation] == "" && strings.HasSuffix(n.Type, "Scan"):
		found = append(found, n.Type+" of all of "+n.Relation+" "+n.Index)
	}
	for _, below := range n.Plans {
		found = append(found, below.faults()...)
	}
	return found
}

// page reports whether a limit bounds the rows, or those of each of a few lists.
func (n node) page() bool {
	if n.Type == "Limit" {
		return true
	}
	for _, below := range n.Plans {
		if !below.page() {
			return false
		}
	}
	return len(n.Plans) > 0 && (n.Type == "Append" || n.Type == "Subquery Scan")
}

// noted notes which statements the suite runs.
type noted struct {
	*sqlstore.Store
	texts *sync.Map
}

func (n noted) Close() error {
	for _, text := range sqlstore.PostgresTexts(n.Store) {
		n.texts.Store(text, nil)
	}
	return n.Store.Close()
}

// testPostgresPlans has statements planned over tables with some thousand rows:
// of empty ones every plan is as good.
func testPostgresPlans(t *testing.T, server *metatest.Postgres, noted *sync.Map) {
	s := openPostgres(t, server.NewDatabase(t))
	defer s.Close()
	var texts []string
	for text := range noted.Range {
		texts = append(texts, text.(string))
	}
	plans, err := sqlstore.PostgresPlans(s, texts)
	if err != nil {
		t.Fatal(err)
	}
	if len(plans) < 100 {
		t.Errorf("%d statements were planned, want all that the suite runs", len(plans))
	}
	for sql, text := range plans {
		var plan []struct{ Plan node }
		if err := json.Unmarshal([]byte(text), &plan); err != nil || len(plan) != 1 {
			t.Fatalf("%s: %v", text, err)
		}
		few := false
		for part := range sorts {
			few = few || strings.HasSuffix(sql, part)
		}
		if faults := plan[0].Plan.faults(); len(faults) > 0 && !few {
			t.Errorf("%s\n%s\n%s", sql, strings.Join(faults, "\n"), text)
		}
	}
}
