package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionLine(t *testing.T) {
	stamps := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "83f1db6"}, {Key: "vcs.time", Value: "2026-11-21T05:58:47Z"}}
	for _, tc := range []struct {
		name string
		told build
		info debug.BuildInfo
		want string
	}{
		{"nothing is known", build{}, debug.BuildInfo{}, "(devel)"},
		{"installed from a module proxy", build{}, debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{"go build in a checkout", build{}, debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: stamps},
			"(devel) (commit 83f1db6, 2026-11-21T05:58:47Z)"},
		{"go build in a checkout with changes", build{}, debug.BuildInfo{Settings: append(stamps, debug.BuildSetting{Key: "vcs.modified", Value: "true"})},
			"(devel) (commit 83f1db6, with changes, 2026-11-21T05:58:47Z)"},
		{"make build", build{"v1.2.3-4-g83f1db6", "83f1db6", "2026-11-21T05:58:47+00:00"}, debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
			"v1.2.3-4-g83f1db6 (commit 83f1db6, 2026-11-21T05:58:47+00:00)"},
		{"make build, with stamps beside", build{"v1.2.3", "abcdef0", "2026-12-01T00:00:00Z"}, debug.BuildInfo{Settings: stamps},
			"v1.2.3 (commit abcdef0, 2026-12-01T00:00:00Z)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := "lighterage " + tc.want + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
			if got := versionLine(tc.told, &tc.info); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
